"""Names that Yahoo writes otherwise are told from those that it has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stocklstm.core.reference import (
    ModelReference,
    StoredTicker,
    parse_key,
    parse_reference,
    parse_ticker,
)
from stocklstm.core.symbols import doubt
from stocklstm.errors import ConfigError
from tests.support.property_tests import PROPERTY

# Codes that B3 has or had: shares, units, funds, BDRs (with a digit too), rights, receipts.
OF_B3 = (
    *("PETR3", "PETR4", "USIM5", "ELET6", "CESP6", "B3SA3", "TIET11", "SANB11", "HGLG11"),
    *("BOVA11", "5GTK11", "B5P211", "TSLA34", "A1MD34", "M1TA34", "ITLC31", "DEAI33", "BIVB39"),
    *("PETR1", "PETR2", "HGLG12", "HGLG13", "FIIP11B"),
)

CLASSES = {
    "BRK.A": "BRK-A",
    "BRK.B": "BRK-B",
    "BF.B": "BF-B",
    "RDS.A": "RDS-A",
    "LEN.B": "LEN-B",
    "PBR.A": "PBR-A",
    "PSTH.U": "PSTH-UN",
    "BAC.PRL": "BAC-PL",
    "AAPL.O": "AAPL",
    "GE.N": "GE",
    "RCI.B.TO": "RCI-B.TO",
    "REI.UN.TO": "REI-UN.TO",
}

# Names that Yahoo has, of each kind that could be mistaken.
OF_YAHOO = (
    *("AAPL", "F", "T", "GOOGL", "BRK-B", "PBR-A", "BAC-PL", "PETR4.SA", "PETR4F.SA", "HGLG11.SA"),
    *("VOD.L", "BMW.F", "7203.T", "MKC.V", "0700.HK", "600519.SS", "005930.KS", "00631L.TW"),
    *("^GSPC", "^BVSP", "BTC-USD", "ETH-BTC", "UNI7083-USD", "EURUSD=X", "BRL=X", "CL=F"),
    *("CLZ24.NYM", "DX-Y.NYB", "VOLV-B.ST", "M&M.NS", "RCI-B.TO", "AAPL240119C00150000"),
    *("BTCUSDT", "BTCBRL", "ETHUSDC", "1INCHUSDT", "600511", "0P0000KSPA", "TSLA", "X.QQ"),
)


@pytest.mark.parametrize("code", OF_B3)
def test_a_code_of_b3_without_its_suffix_is_no_american_share(code: str) -> None:
    for typed in (code, code.lower(), f" {code} "):
        with pytest.raises(ConfigError, match=rf"did you mean {code}\.SA\?") as caught:
            parse_ticker(typed)
        assert f"take {code}.SA" in str(caught.value.hint)
        assert f"stocklstm prices rename {code} {code}.SA" in str(caught.value.hint)
    assert parse_ticker(f"{code}.SA") == f"{code}.SA"


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("PETR4F", "PETR4 in odd lots on B3: did you mean PETR4.SA?"),
        ("SANB11F", "SANB11 in odd lots on B3: did you mean SANB11.SA?"),
        ("PETR4T", "PETR4 as a forward contract on B3: did you mean PETR4.SA?"),
        ("PETRC380", "an option of B3"),
        ("VALEX80", "an option of B3"),
        ("B3SAC120", "an option of B3"),
        ("PETRA380W2", "an option of B3"),
    ],
)
def test_what_b3_trades_besides_is_called_what_it_is(code: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_ticker(code)
    assert what in caught.value.message
    assert ".SA" in str(caught.value.hint)


@pytest.mark.parametrize(("typed", "right"), CLASSES.items())
def test_a_class_of_a_share_is_written_with_a_hyphen(typed: str, right: str) -> None:
    with pytest.raises(ConfigError, match=rf"(?m)Yahoo writes {right}$"):
        parse_ticker(typed)
    assert parse_ticker(right) == right


@pytest.mark.parametrize("ticker", OF_YAHOO)
def test_what_yahoo_has_is_not_doubted(ticker: str) -> None:
    assert parse_ticker(ticker.lower()) == ticker


def test_what_is_stored_is_not_doubted() -> None:
    assert parse_ticker(StoredTicker("PETR4")) == "PETR4"
    assert parse_key("petr4") == "PETR4"
    assert parse_reference(StoredTicker("BRK.B")) == ModelReference("BRK.B")
    # A version that is named is one that there is: it can be shown, removed and trained from.
    assert parse_reference("PETR4@v1") == ModelReference("PETR4", 1)
    with pytest.raises(ConfigError, match="did you mean"):
        parse_reference("PETR4")


def test_a_stored_name_that_is_read_is_plain_text() -> None:
    # A JSON encoder takes no other kind of text.
    assert type(parse_ticker(StoredTicker("PETR4"))) is str
    assert type(parse_reference(StoredTicker("AAPL")).ticker) is str


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("PETR4.SA,VALE3.SA", "--ticker PETR4.SA --ticker VALE3.SA"),
        ("PETR4.SA, VALE3.SA", "--ticker PETR4.SA --ticker VALE3.SA"),
        ("AAPL MSFT", "--ticker AAPL --ticker MSFT"),
        ("AAPL;MSFT;", "--ticker AAPL --ticker MSFT"),
        ("petr4,BRK.B", "--ticker PETR4.SA --ticker BRK-B"),
        ("PETR4.SA@v1,PETR4.SA@v2", "--ticker PETR4.SA@v1 --ticker PETR4.SA@v2"),
        ("A,B,C,D", "--ticker A --ticker B --ticker C …"),
    ],
)
def test_several_tickers_in_one_word_are_told_apart(typed: str, hint: str) -> None:
    with pytest.raises(ConfigError, match="of them: give each by itself") as caught:
        parse_reference(typed)
    assert caught.value.hint == hint


@PROPERTY
@given(st.from_regex(r"[A-Z0-9.=&_^-]{1,21}", fullmatch=True))
def test_what_is_to_be_taken_instead_is_never_doubted(ticker: str) -> None:
    found = doubt(ticker)
    assert found is None or not found.right or doubt(found.right) is None


@PROPERTY
@given(st.from_regex(r"[A-Z]{4}([3-8]|11|3[1-59])", fullmatch=True))
def test_the_form_of_b3_is_all_that_counts(code: str) -> None:
    found = doubt(code)
    assert found is not None
    assert found.right == f"{code}.SA"
