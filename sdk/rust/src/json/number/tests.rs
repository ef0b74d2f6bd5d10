//! What numbers promise.

use super::*;
use proptest::prelude::*;

fn number(text: &str) -> Number {
    Number::parse(text).unwrap()
}

#[test]
fn only_json_numbers_are_numbers() {
    for text in [
        "0",
        "-0",
        "10",
        "0.10",
        "9.80000019",
        "1e400",
        "-1.5E+3",
        "12345678901234567890",
    ] {
        assert_eq!(number(text).as_str(), text);
    }
    for text in [
        "", "-", "01", ".5", "1.", "+1", "1e", "1e+", "NaN", "0x1", "1 ", " 1", "--1",
    ] {
        assert!(Number::parse(text).is_none(), "{text}");
    }
}

#[test]
fn scaling_is_exact_or_an_error() {
    assert_eq!(number("9.80000019").scaled(8), Ok(980_000_019));
    assert_eq!(number("9.80000019").scaled(2), Err(NumberError::TooPrecise));
    assert_eq!(number("1.2e3").scaled(0), Ok(1200));
    assert_eq!(number("1200e-2").scaled(0), Ok(12));
    assert_eq!(number("0e999999999999999999999").scaled(3), Ok(0));
    assert_eq!(number("-0.00").scaled(0), Ok(0));
}

#[test]
fn a_number_that_does_not_fit_is_refused_without_growing() {
    for text in [
        "1e400",
        "1e18446744073709551616",
        "9223372036854775807e9223372036854775807",
    ] {
        assert_eq!(number(text).scaled(2), Err(NumberError::TooLarge), "{text}");
    }
    assert_eq!(
        number("1e-9223372036854775807").scaled(2),
        Err(NumberError::TooPrecise)
    );
}

#[test]
fn the_whole_range_of_128_bits_is_reached() {
    for edge in [i128::MIN, i128::MAX] {
        let text = edge.to_string();
        assert_eq!(number(&text).scaled(0), Ok(edge));
        assert_eq!(Number::from_scaled(edge, 0).as_str(), text);
    }
    assert_eq!(
        number("170141183460469231731687303715884105728").scaled(0),
        Err(NumberError::TooLarge)
    );
}

#[test]
fn moving_the_point_keeps_every_digit() {
    for (text, places, moved) in [
        ("1.50", 1, "15.0"),
        ("1.50", 3, "1500"),
        ("0.05", 2, "5"),
        ("-0.05", 1, "-0.5"),
        ("7", -3, "0.007"),
        (
            "12345678901234567890123456789012345678901234567890",
            -2,
            "123456789012345678901234567890123456789012345678.90",
        ),
        ("1.5E+3", -4, "1.5e-1"),
        ("0", 2, "0"),
    ] {
        assert_eq!(number(text).shifted(places).as_str(), moved, "{text} by {places}");
    }
}

#[test]
fn equal_decimals_are_the_same_however_they_are_written() {
    for (a, b) in [
        ("1", "1.0"),
        ("10e-1", "1"),
        ("-0", "0"),
        ("0.10", "0.1"),
        ("100", "1E2"),
    ] {
        assert!(number(a).same_value(&number(b)), "{a} {b}");
    }
    for (a, b) in [
        ("1", "-1"),
        ("1e400", "1e401"),
        ("0.1", "0.10000000000000000001"),
        ("9007199254740993", "9007199254740992"),
    ] {
        assert!(!number(a).same_value(&number(b)), "{a} {b}");
    }
}

proptest! {
    #[test]
    fn scaling_and_back_is_the_same_number(scaled in any::<i128>(), places in 0u32..60) {
        let number = Number::from_scaled(scaled, places);
        prop_assert!(Number::parse(number.as_str()).is_some(), "{}", number);
        prop_assert_eq!(number.scaled(places), Ok(scaled));
    }

    #[test]
    fn moving_the_point_there_and_back_is_the_same_value(text in "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", places in -40i32..40) {
        let original = number(&text);
        let moved = original.shifted(places);
        prop_assert!(Number::parse(moved.as_str()).is_some(), "{}", moved);
        prop_assert!(moved.shifted(-places).same_value(&original));
        if places != 0 && original.scaled(0) != Ok(0) {
            prop_assert!(!moved.same_value(&original) || original.same_value(&number("0")));
        }
    }
}
