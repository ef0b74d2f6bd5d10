//! What the scanner takes and refuses.

use super::*;
use proptest::prelude::*;

fn accepts(text: &str) -> bool {
    scan(text, &mut ()).is_ok()
}

#[test]
fn only_json_is_accepted() {
    for good in [
        "0",
        "-0",
        "1e400",
        "0.10",
        "-12.5E+3",
        "\"\"",
        " [ ] ",
        "[1 , [2],{}]",
        "{\"a\" : null}\n",
        "\"\\ud800\"",
    ] {
        assert!(accepts(good), "{good}");
    }
    for bad in [
        "",
        " ",
        "01",
        "-",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e+",
        "NaN",
        "tru",
        "nulll",
        "'a'",
        "[1,]",
        "[,1]",
        "[1",
        "]",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":1]",
        "[1}",
        "[] []",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12",
        "\"\n\"",
        "\"\\",
        "\u{feff}{}",
        "\u{a0}1",
        "1\0",
    ] {
        assert!(!accepts(bad), "{bad}");
    }
}

#[test]
fn nesting_of_128_is_accepted_and_129_is_not_however_long_the_text_is() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(accepts(&nested(128)));
    assert_eq!(scan(&nested(129), &mut ()), Err(Fault::TooDeep));
    assert_eq!(scan(&"{\"a\":".repeat(1_000_000), &mut ()), Err(Fault::TooDeep));
    // Beside each other is not inside each other.
    assert!(accepts(&format!("[{}1]", "[[]],".repeat(10_000))));
}

proptest! {
    #[test]
    fn it_accepts_what_serde_json_accepts(text in r#"[\[\]{}":,0-9eE.+\-tfnaul\\ \u{7}é]{0,16}"#) {
        let reference = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(accepts(&text), reference);
    }

    #[test]
    fn a_plain_run_ends_at_the_first_special_byte(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let naive = bytes.iter().take_while(|b| !matches!(b, b'"' | b'\\' | 0..0x20)).count();
        prop_assert_eq!(plain_run(&bytes), naive);
    }
}
