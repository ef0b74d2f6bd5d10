//! Sums and differences, exact at any size. Digits are added as on paper; nothing is rounded.

use super::{sign_of, Number};

/// Digits that a sum may be written with. More would be an exponent that somebody wrote to do harm.
const MOST_DIGITS: usize = 1_000;

/// `±digits / 10^places`, the digits from the highest on.
struct Written {
    negative: bool,
    digits: Vec<u8>,
    places: usize,
}

impl Number {
    /// `self + other`, exactly, with as many decimals as the one that has more. None: it would have over 1,000 digits.
    ///
    /// ```
    /// use selaras_sdk::json::Number;
    /// let (a, b) = (Number::parse("0.10").unwrap(), Number::parse("2").unwrap());
    /// assert_eq!(a.plus(&b).unwrap().as_str(), "2.10");
    /// ```
    pub fn plus(&self, other: &Number) -> Option<Number> {
        Some(add(self.written()?, other.written()?)?.number())
    }

    /// `self - other`, likewise.
    ///
    /// ```
    /// use selaras_sdk::json::Number;
    /// let (a, b) = (Number::parse("1e3").unwrap(), Number::parse("0.50").unwrap());
    /// assert_eq!(a.minus(&b).unwrap().as_str(), "999.50");
    /// ```
    pub fn minus(&self, other: &Number) -> Option<Number> {
        let mut other = other.written()?;
        other.negative = !other.negative;
        Some(add(self.written()?, other)?.number())
    }

    fn written(&self) -> Option<Written> {
        let (mantissa, exponent) = self.split();
        let (sign, unsigned) = sign_of(mantissa);
        let fraction = unsigned.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let digits = unsigned.bytes().filter(|byte| *byte != b'.');
        let mut digits: Vec<u8> = digits
            .map(|digit| digit - b'0')
            .skip_while(|digit| *digit == 0)
            .collect();
        let exponent = exponent.map_or(Some(0), |exponent| exponent.parse::<i64>().ok())?;
        let places = i64::try_from(fraction).ok()?.checked_sub(exponent)?;
        if places < 0 && !digits.is_empty() {
            let zeros = usize::try_from(places.checked_neg()?).ok()?;
            if zeros > MOST_DIGITS {
                return None;
            }
            digits.resize(digits.len() + zeros, 0);
        }
        let places = usize::try_from(places.max(0)).ok()?;
        (digits.len() <= MOST_DIGITS && places <= MOST_DIGITS).then_some(Written {
            negative: !sign.is_empty(),
            digits,
            places,
        })
    }
}

fn add(mut a: Written, mut b: Written) -> Option<Written> {
    let places = a.places.max(b.places);
    for number in [&mut a, &mut b] {
        let zeros = places - number.places;
        number.digits.resize(number.digits.len() + zeros, 0);
    }
    let length = a.digits.len().max(b.digits.len());
    for number in [&mut a, &mut b] {
        let zeros = length - number.digits.len();
        number.digits.splice(0..0, std::iter::repeat_n(0, zeros));
    }
    let same_sign = a.negative == b.negative;
    // From here on `a` is the larger one, so that a difference borrows from nobody.
    if !same_sign && a.digits < b.digits {
        std::mem::swap(&mut a, &mut b);
    }
    let mut carry = 0;
    for (to, from) in a.digits.iter_mut().zip(&b.digits).rev() {
        if same_sign {
            let sum = *to + *from + carry;
            *to = sum % 10;
            carry = sum / 10;
        } else {
            let take = *from + carry;
            carry = u8::from(*to < take);
            *to = *to + 10 * carry - take;
        }
    }
    if carry > 0 {
        a.digits.insert(0, carry);
    }
    a.places = places;
    (a.digits.len() <= MOST_DIGITS).then_some(a)
}

impl Written {
    fn number(self) -> Number {
        let leading = self.digits.iter().take_while(|digit| **digit == 0).count();
        let significant = &self.digits[leading..];
        let mut text = String::from(if self.negative && !significant.is_empty() {
            "-"
        } else {
            ""
        });
        // At least one digit before the point.
        let zeros = (self.places + 1).saturating_sub(significant.len());
        let digits = std::iter::repeat_n(&0, zeros).chain(significant);
        let whole = zeros + significant.len() - self.places;
        for (at, digit) in digits.enumerate() {
            if at == whole {
                text.push('.');
            }
            text.push(char::from(b'0' + digit));
        }
        Number { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    fn sum(a: &str, b: &str) -> String {
        number(a).plus(&number(b)).unwrap().text
    }

    fn difference(a: &str, b: &str) -> String {
        number(a).minus(&number(b)).unwrap().text
    }

    #[test]
    fn sums_are_exact_and_keep_the_longer_ones_decimals() {
        for (a, b, expected) in [
            ("0.1", "0.2", "0.3"),
            ("0.10", "0.2", "0.30"),
            ("9.99", "0.01", "10.00"),
            ("1", "-1", "0"),
            ("1.00", "-1", "0.00"),
            ("-0.5", "0.25", "-0.25"),
            ("-0", "0", "0"),
            ("1e2", "1E-2", "100.01"),
            ("0e5", "7", "7"),
            ("1.50e1", "0", "15.0"),
            (
                "99999999999999999999999999999999999999999999999999",
                "1",
                "100000000000000000000000000000000000000000000000000",
            ),
        ] {
            assert_eq!(sum(a, b), expected, "{a} + {b}");
            assert_eq!(sum(b, a), expected, "{b} + {a}");
        }
        assert_eq!(difference("5", "7.5"), "-2.5");
        assert_eq!(difference("-5", "-5"), "0");
        assert_eq!(difference("0", "0.001"), "-0.001");
    }

    #[test]
    fn what_would_be_written_with_too_many_digits_is_refused() {
        let one = number("1");
        for text in [
            "1e1000",
            "1e-1001",
            "1e99999999999999999999",
            "1e-9223372036854775808",
        ] {
            assert!(number(text).plus(&one).is_none(), "{text}");
            assert!(one.minus(&number(text)).is_none(), "{text}");
        }
        assert_eq!(sum("1e999", "0").len(), 1_000);
    }

    #[test]
    fn one_decimal_has_one_normal_text() {
        for (a, b) in [("1", "1.00"), ("10e-1", "1"), ("0", "-0.0"), ("120", "1.2E2")] {
            assert_eq!(number(a).normal(), number(b).normal());
        }
        assert_ne!(number("1").normal(), number("-1").normal());
        assert_ne!(number("1").normal(), number("10").normal());
    }

    proptest! {
        #[test]
        fn sums_are_those_of_whole_numbers_at_a_scale(
            a in -(1i128 << 100)..(1i128 << 100), b in -(1i128 << 100)..(1i128 << 100), places in 0u32..30,
        ) {
            let (x, y) = (Number::from_scaled(a, places), Number::from_scaled(b, places));
            prop_assert_eq!(x.plus(&y).unwrap().text, Number::from_scaled(a + b, places).text);
            prop_assert_eq!(x.minus(&y).unwrap().text, Number::from_scaled(a - b, places).text);
        }

        #[test]
        fn what_was_added_can_be_taken_away_again(
            a in "-?(0|[1-9][0-9]{0,60})(\\.[0-9]{1,40})?(e[0-9]{1,2})?",
            b in "-?(0|[1-9][0-9]{0,60})(\\.[0-9]{1,40})?(e-[0-9]{1,2})?",
        ) {
            let (a, b) = (number(&a), number(&b));
            let sum = a.plus(&b).unwrap();
            prop_assert!(sum.same_value(&b.plus(&a).unwrap()));
            prop_assert!(sum.minus(&b).unwrap().same_value(&a));
            prop_assert!(Number::parse(sum.as_str()).is_some());
        }
    }
}
