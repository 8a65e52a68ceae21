import re

import pandas as pd
import pytest

from vaeimpute._files import TextTable


def middle(column):
    """Fill a column with the lower of its middle values."""
    observed = sorted(column.dropna())
    return column.fillna(observed[(len(observed) - 1) // 2])


def filled(text, fill=middle):
    """Return the text of a CSV file after its columns were filled."""
    table = TextTable.parse(text, ",")
    frame = table.frame()
    some = frame.loc[:, frame.notna().any()]
    return table.filled(some.apply(fill)).to_text()


def column(*fields):
    """Return the text of a file whose column x holds the fields."""
    rows = "".join(f"{field},{row}\n" for row, field in enumerate(fields))
    return "x,row\n" + rows


def last_field(*fields, fill=middle):
    """Return what the last field of a column, which is missing, is filled with."""
    lines = filled(column(*fields, ""), fill).splitlines()
    return lines[-1].rpartition(",")[0]


@pytest.mark.parametrize(
    "text",
    [
        "a,b\r\n1,\r\n2,x\r\n",
        "a,b\n1,\n2,x",
        "a,b\n1,\r\n2,x\n\n\n",
        "\ufeffa,b\n1,\n2,x\n",
        '\ufeff"a","b"\n1,\n2,x\n',
        'a,b\n"1" ,\n 2 ,x\n',
        'a,b\n"1,5",\n5" pipe,x\n',
        "größe,名\n1.10,\n1e3,x\n",
        "a,b\n1234567890123456789,\n1234567890123456788,x\n",
        "a,b\n12345678901234567890123,\n1,x\n",
        "a,b\n+1,\n-0.50,x\n",
        "a,b\n1 000,\n0x1F,x\n",
        "a,b\n\u2028,\n\x0b,x\n",
        "a,b\n2020-1-5,\n2020-12-31,x\n",
        "a,b\nTrue,\nno,x\n",
    ],
)
def test_text_is_kept_to_the_character(text):
    assert TextTable.parse(text, ",").to_text() == text

    # The only missing field is the end of the second line.
    expected = re.sub(r",(?=\r?\n2|\r?\n)", ",x", text, count=1)
    assert expected != text
    assert filled(text) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["1", "2", "3"], "2"),
        (["1.10", "2.20", "3.30"], "2.20"),
        (["1.1", "2.25", "3"], "2.25"),
        (["1.10", "2.125", "3.10"], "2.125"),
        (["1", "2.0", "3"], "2"),
        (["1e3", "2e-4", "5"], "5"),
        (["1e-7", "2.5e-7", "1"], "2.5e-07"),
        (["99999999999999999999", "1", "2"], "2"),
        (["007", "008", "008"], "008"),
        (["00.5", "0.5", "0.5"], "0.5"),
        (["true", "false", "true"], "true"),
        (["Yes ", "Yes ", "Yes"], "Yes "),
        (["", "None", "None"], "None"),
        (["2020-01-01", "2020-01-03", "2020-02-01"], "2020-01-03"),
        (["01.02.2020", "03.02.2020", "04.02.2020"], "03.02.2020"),
        (["2020/01/01", "2020/01/03", "2020/02/01"], "2020/01/03"),
        (["2020-01", "2020-02", "2020-03"], "2020-02"),
        (["2020-01-01T10:00Z", "2020-01-01T10:30Z"], "2020-01-01T10:00Z"),
        (["2020-01-01 10:00:00.250"] * 2, "2020-01-01 10:00:00.250"),
        (["2020-01-01T10:00:00+02:00"] * 2, "2020-01-01T10:00:00+02:00"),
        (
            ["2020-03-29 01:00:00+01:00", "2020-03-29 03:00:00+02:00"],
            "2020-03-29 00:00:00+00:00",
        ),
    ],
)
def test_filled_fields_look_like_the_column(fields, expected):
    assert last_field(*fields) == expected


def test_numbers_are_rounded_to_the_most_precise_field():
    def mean(column):
        return column.fillna(column.mean())

    assert last_field("1.0", "1.0", "2.0", fill=mean) == "1.3"
    assert last_field("1", "1.0", "2.125", fill=mean) == "1.375"
    assert last_field("-0.1", "0.1", "-0.01", fill=mean) == "0.0"
    assert last_field("0.1", "0.2", "0.3000000", fill=mean) == "0.2"


def test_times_of_one_offset_keep_it_and_those_of_several_are_in_utc():
    texts = [
        column("2020-01-01T10:00+02:00", f"2020-01-01T12:00{offset}")
        for offset in ("+02:00", "Z")
    ]
    one, several = (TextTable.parse(text, ",").frame()["x"] for text in texts)

    assert one[0].hour == 10
    assert one[0].utcoffset() == pd.Timedelta(hours=2)
    assert several[0] == pd.Timestamp("2020-01-01T08:00Z")
    assert several[0].hour == 8


def test_quotes_of_a_column_are_those_of_what_is_filled():
    text = '"a","b"\n"1",x\n"",x\n"1",\n'
    assert filled(text) == '"a","b"\n"1",x\n"1",x\n"1",x\n'


@pytest.mark.parametrize(
    ("field", "expected"),
    [("1\x1e", 1), (" 1", 1), ("9" * 5_000, float("inf"))],
)
def test_numbers_in_odd_fields_are_read(field, expected):
    (value,) = TextTable.parse(f"a\n{field}\n", ",").frame()["a"]
    assert value == expected
