//! JSON numbers compared as the exact decimals they are, from their text. Nothing is computed in floating point,
//! and no exponent, however large, makes it allocate more than the text is long.

/// Whether two JSON number texts mean the same number: `1`, `1.0` and `10e-1` do, `0` and `-0` do.
/// Texts that are not JSON numbers are the same only when they are identical.
pub fn same_number(a: &str, b: &str) -> bool {
    a == b
        || match (Decimal::parse(a), Decimal::parse(b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
}

/// A number as `±digits × 10^exponent`, the digits without zeros at either end.
struct Decimal<'a> {
    negative: bool,
    /// The digits before and after the point; either may be empty, both are for zero.
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: Exponent,
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (negative, text) = sign(text.as_bytes(), false);
        let (mantissa, power) = match text.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let (whole, fraction) = match mantissa.iter().position(|b| *b == b'.') {
            Some(at) => (&mantissa[..at], Some(&mantissa[at + 1..])),
            None => (mantissa, None),
        };
        if !digits_only(whole) || (whole.len() > 1 && whole[0] == b'0') || !fraction.is_none_or(digits_only) {
            return None;
        }
        let (power_negative, power) = sign(power.unwrap_or(b"0"), true);
        if !digits_only(power) {
            return None;
        }

        let mut whole = without_leading_zeros(whole);
        let mut fraction = without_trailing_zeros(fraction.unwrap_or_default());
        // What the last digit counts: behind the point less, after zeros cut off more.
        let shift = if fraction.is_empty() {
            let significant = without_trailing_zeros(whole);
            let cut = whole.len() - significant.len();
            whole = significant;
            i128::try_from(cut).ok()?
        } else {
            -i128::try_from(fraction.len()).ok()?
        };
        if whole.is_empty() {
            fraction = without_leading_zeros(fraction);
        }
        Some(Decimal {
            negative,
            whole,
            fraction,
            exponent: Exponent::new(power_negative, power, shift),
        })
    }

    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.is_empty()
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        if self.is_zero() || other.is_zero() {
            return self.is_zero() && other.is_zero();
        }
        self.negative == other.negative
            && self.exponent == other.exponent
            && self.whole.len() + self.fraction.len() == other.whole.len() + other.fraction.len()
            && self
                .whole
                .iter()
                .chain(self.fraction)
                .eq(other.whole.iter().chain(other.fraction))
    }
}

/// A power of ten. What has at most [`Exponent::SMALL`] digits is `Small`, so that each value has one form.
#[derive(PartialEq)]
enum Exponent {
    Small(i128),
    Large { negative: bool, digits: Vec<u8> },
}

impl Exponent {
    /// Digits that an `i128` holds with room to spare.
    const SMALL: usize = 31;

    /// The exponent as written, plus `shift`, which is at most as large as a text is long.
    fn new(negative: bool, written: &[u8], shift: i128) -> Self {
        let written = without_leading_zeros(written);
        let signed = |magnitude: i128| if negative { -magnitude } else { magnitude };
        if written.len() < Self::SMALL {
            // A shift adds no more than one digit.
            return Exponent::Small(signed(value(written)) + shift);
        }
        // So much larger than any shift that the sign cannot turn.
        let digits = add(written, signed(shift));
        if digits.len() <= Self::SMALL {
            return Exponent::Small(signed(value(&digits)));
        }
        Exponent::Large { negative, digits }
    }
}

fn value(digits: &[u8]) -> i128 {
    digits
        .iter()
        .fold(0, |n, digit| n * 10 + i128::from(digit - b'0'))
}

/// Decimal digits plus a number of smaller magnitude, as decimal digits.
fn add(digits: &[u8], n: i128) -> Vec<u8> {
    let mut carry = n;
    let mut reversed = Vec::with_capacity(digits.len() + 1);
    for digit in digits.iter().rev() {
        let sum = i128::from(digit - b'0') + carry;
        carry = sum.div_euclid(10);
        reversed.push(b"0123456789"[sum.rem_euclid(10) as usize]);
    }
    if carry > 0 {
        // No shift is so large that more than one digit is left over.
        reversed.push(b'1');
    }
    reversed.reverse();
    without_leading_zeros(&reversed).to_vec()
}

fn sign(text: &[u8], plus_allowed: bool) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] if plus_allowed => (false, rest),
        _ => (false, text),
    }
}

fn digits_only(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn without_leading_zeros(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().take_while(|d| **d == b'0').count()..]
}

fn without_trailing_zeros(digits: &[u8]) -> &[u8] {
    &digits[..digits.len() - digits.iter().rev().take_while(|d| **d == b'0').count()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_equal_as_exact_decimals() {
        for (a, b) in [
            ("1", "1.0"),
            ("1", "10e-1"),
            ("1", "0.1E+1"),
            ("100", "1e2"),
            ("0", "-0"),
            ("0", "-0.00e999999999999999999999"),
            ("1e400", "10e399"),
            ("0.10", "0.1"),
            ("12345678901234567890", "1234567890123456789e1"),
            ("-2.50", "-25e-1"),
            ("1e-7", "0.0000001"),
            ("1e007", "1e7"),
            ("10e99999999999999999999", "1e100000000000000000000"),
            (
                "0.01e1000000000000000000000000000000000000001",
                "1e999999999999999999999999999999999999999",
            ),
            (
                "100e-1000000000000000000000000000000000000001",
                "1e-999999999999999999999999999999999999999",
            ),
            (
                "10e999999999999999999999999999999",
                "1e1000000000000000000000000000000",
            ),
            (
                "0.1e1000000000000000000000000000000",
                "1e999999999999999999999999999999",
            ),
        ] {
            assert!(same_number(a, b) && same_number(b, a), "{a} = {b}");
        }
        for (a, b) in [
            ("1", "-1"),
            ("1", "2"),
            ("12345678901234567890", "12345678901234567891"),
            ("0.1", "0.10000000000000000001"),
            ("1e400", "1e401"),
            ("1e999999999999", "1e999999999998"),
            ("1e-999999999999", "1e999999999999"),
            (
                "1e99999999999999999999999999999999999999999999",
                "1e99999999999999999999999999999999999999999998",
            ),
            (
                "1e-99999999999999999999999999999999999999999999",
                "1e99999999999999999999999999999999999999999999",
            ),
            ("0", "1e-999999999999999999999999"),
            ("10", "1"),
            ("101", "11"),
            ("1.01", "1.1"),
        ] {
            assert!(!same_number(a, b) && !same_number(b, a), "{a} != {b}");
        }
    }

    #[test]
    fn what_is_not_a_number_equals_only_itself() {
        for bad in [
            "", "-", "+1", "01", "1.", ".1", "1e", "1e+", "1e1.0", "--1", "1 ", "Infinity",
        ] {
            assert!(same_number(bad, bad));
            assert!(!same_number(bad, "1"), "{bad}");
            assert!(!same_number("0", bad), "{bad}");
        }
    }

    /// The plain reference: shift both by multiplying out the smaller exponent, then compare digits.
    fn reference(a: &str, b: &str) -> bool {
        fn parts(text: &str) -> (bool, String, i64) {
            let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
            let negative = mantissa.starts_with('-');
            let mantissa = mantissa.trim_start_matches('-');
            let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
            let exponent: i64 = exponent.parse().unwrap();
            (
                negative,
                format!("{whole}{fraction}"),
                exponent - i64::try_from(fraction.len()).unwrap(),
            )
        }
        let ((neg_a, dig_a, exp_a), (neg_b, dig_b, exp_b)) = (parts(a), parts(b));
        let low = exp_a.min(exp_b);
        let pad = |digits: &str, exp: i64| {
            let zeros = "0".repeat(usize::try_from(exp - low).unwrap());
            format!("{digits}{zeros}").trim_start_matches('0').to_owned()
        };
        let (a, b) = (pad(&dig_a, exp_a), pad(&dig_b, exp_b));
        a == b && (neg_a == neg_b || a.is_empty())
    }

    /// Numbers that collide often, in many spellings.
    fn number() -> impl Strategy<Value = String> {
        "-?(0|[1-9][01]{0,3})(\\.[01]{1,4})?([eE][+-]?[0-6])?"
    }

    proptest! {
        #[test]
        fn it_agrees_with_multiplying_out(a in number(), b in number()) {
            prop_assert_eq!(same_number(&a, &b), reference(&a, &b), "{} {}", a, b);
        }

        #[test]
        fn moving_the_point_and_the_exponent_together_changes_nothing(
            digits in "[1-9][0-9]{0,30}", zeros in 0usize..40, power in -40i64..40,
        ) {
            let padded = format!("{digits}{}e{}", "0".repeat(zeros), power);
            let shifted = format!("{digits}e{}", power + i64::try_from(zeros).unwrap());
            let other = format!("{digits}e{}", power + i64::try_from(zeros).unwrap() + 1);
            prop_assert!(same_number(&padded, &shifted));
            prop_assert!(!same_number(&padded, &other));
        }
    }
}
