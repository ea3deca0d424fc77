"""How good forecasts were: scores, tests of significance, baselines, drift."""
