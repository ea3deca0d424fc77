"""How good forecasts were: scores, tests of significance, rivals, drift."""
