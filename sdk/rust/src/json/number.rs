//! Numbers as decimal text. Every operation is exact or an error; none goes through floating point.

use core::fmt;

use super::scan::number_end;

mod sum;

/// A JSON number with the very digits it was written with.
#[derive(Debug, Clone)]
pub struct Number {
    text: String,
}

/// Why a number has no exact integer at a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberError {
    /// It has digits behind the last place.
    TooPrecise,
    /// It does not fit 128 bits.
    TooLarge,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooPrecise => "the number has more decimals than can be kept",
            Self::TooLarge => "the number is too large",
        })
    }
}

impl std::error::Error for NumberError {}

impl Number {
    /// A number from its JSON text; none when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        (number_end(text.as_bytes(), 0) == Ok(text.len())).then(|| Self::scanned(text))
    }

    pub(super) fn scanned(text: &str) -> Self {
        Self {
            text: text.to_owned(),
        }
    }

    /// The text, to the digit.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The integer `self × 10^places`, exactly: `12.34` at 2 places is 1234.
    ///
    /// # Errors
    /// When that is not an integer, or does not fit 128 bits. It is never rounded.
    ///
    /// ```
    /// use selaras_sdk::json::{Number, NumberError};
    /// let price = Number::parse("12.340").unwrap();
    /// assert_eq!(price.scaled(2), Ok(1234));
    /// assert_eq!(price.scaled(1), Err(NumberError::TooPrecise));
    /// ```
    pub fn scaled(&self, places: u32) -> Result<i128, NumberError> {
        let decimal = self.decimal().ok_or(NumberError::TooLarge)?;
        if decimal.digits.is_empty() {
            return Ok(0);
        }
        // The last digit is not a zero, so a negative exponent leaves a fraction.
        let exponent = decimal.exponent.saturating_add(i64::from(places));
        if exponent < 0 {
            return Err(NumberError::TooPrecise);
        }
        let places = u32::try_from(exponent).map_err(|_| NumberError::TooLarge)?;
        // Gathered below zero, where the range is one wider.
        let mut sum: Option<i128> = Some(0);
        for digit in &decimal.digits {
            sum = sum.and_then(|sum| sum.checked_mul(10)?.checked_sub(i128::from(digit - b'0')));
        }
        let sum = sum.and_then(|sum| sum.checked_mul(10i128.checked_pow(places)?));
        let signed = if decimal.negative {
            sum
        } else {
            sum.and_then(i128::checked_neg)
        };
        signed.ok_or(NumberError::TooLarge)
    }

    /// The number `scaled × 10^-places`, written with exactly that many decimals: 1234 at 2 places is `12.34`.
    ///
    /// ```
    /// use selaras_sdk::json::Number;
    /// assert_eq!(Number::from_scaled(-5, 2).as_str(), "-0.05");
    /// ```
    pub fn from_scaled(scaled: i128, places: u32) -> Self {
        let mut text = String::new();
        push_integer(scaled, &mut text);
        let places = places as usize;
        if places > 0 {
            let sign = usize::from(scaled < 0);
            while text.len() - sign <= places {
                text.insert(sign, '0');
            }
            text.insert(text.len() - places, '.');
        }
        Self { text }
    }

    /// The number `self × 10^places`, exactly and of any length, by moving the decimal point.
    ///
    /// ```
    /// use selaras_sdk::json::Number;
    /// assert_eq!(Number::parse("1.50").unwrap().shifted(-2).as_str(), "0.0150");
    /// assert_eq!(Number::parse("1e400").unwrap().shifted(1).as_str(), "1e401");
    /// ```
    pub fn shifted(&self, places: i32) -> Self {
        let (mantissa, exponent) = self.split();
        if let Some(exponent) = exponent {
            // An exponent too large to count with is as good as zero digits away from it: it is left as text below.
            let moved = exponent
                .parse::<i128>()
                .ok()
                .and_then(|exponent| exponent.checked_add(i128::from(places)));
            let mut text = String::from(mantissa);
            text.push('e');
            match moved {
                Some(moved) => push_integer(moved, &mut text),
                None => text.push_str(exponent),
            }
            return Self { text };
        }
        let (sign, unsigned) = sign_of(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let mut digits = String::from(whole);
        digits.push_str(fraction);
        let mut point = whole.len() as i64 + i64::from(places);
        while point < 1 {
            digits.insert(0, '0');
            point += 1;
        }
        while (digits.len() as i64) < point {
            digits.push('0');
        }
        let (whole, fraction) = digits.split_at(point as usize);
        let leading = whole
            .bytes()
            .take(whole.len() - 1)
            .take_while(|digit| *digit == b'0')
            .count();
        let mut text = String::from(sign);
        text.push_str(&whole[leading..]);
        if !fraction.is_empty() {
            text.push('.');
            text.push_str(fraction);
        }
        Self { text }
    }

    /// Whether both are the same decimal: `1.0`, `1` and `10e-1` are.
    pub fn same_value(&self, other: &Number) -> bool {
        match (self.decimal(), other.decimal()) {
            (Some(a), Some(b)) => a == b,
            // An exponent beyond 64 bits: only the same text is the same.
            _ => self.text == other.text,
        }
    }

    /// One text for all ways to write the same decimal, to find equal ones by. Not for people.
    pub(crate) fn normal(&self) -> String {
        let Some(decimal) = self.decimal() else {
            return self.text.clone();
        };
        let mut text = String::from(if decimal.negative { "-" } else { "" });
        if decimal.digits.is_empty() {
            text.push('0');
        }
        text.extend(decimal.digits.iter().copied().map(char::from));
        if decimal.exponent != 0 {
            text.push('e');
            push_integer(i128::from(decimal.exponent), &mut text);
        }
        text
    }

    /// The text before the exponent, and the exponent.
    fn split(&self) -> (&str, Option<&str>) {
        match self.text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (&self.text, None),
        }
    }

    fn decimal(&self) -> Option<Decimal> {
        let (mantissa, exponent) = self.split();
        let (sign, unsigned) = sign_of(mantissa);
        let fraction = unsigned.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let mut digits: Vec<u8> = unsigned
            .bytes()
            .filter(|byte| *byte != b'.')
            .skip_while(|byte| *byte == b'0')
            .collect();
        let significant = digits
            .iter()
            .rposition(|digit| *digit != b'0')
            .map_or(0, |last| last + 1);
        let zeros = digits.len() - significant;
        digits.truncate(significant);
        if digits.is_empty() {
            return Some(Decimal {
                negative: false,
                digits,
                exponent: 0,
            });
        }
        let exponent = exponent.map_or(Some(0), |exponent| exponent.parse::<i64>().ok())?;
        let exponent = exponent.checked_sub(fraction as i64)?.checked_add(zeros as i64)?;
        Some(Decimal {
            negative: !sign.is_empty(),
            digits,
            exponent,
        })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self::from_scaled(i128::from(integer), 0)
    }
}

/// `±digits × 10^exponent` in its one normal form: no zero at either end of the digits; zero has none.
#[derive(PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

fn sign_of(mantissa: &str) -> (&str, &str) {
    mantissa.split_at(usize::from(mantissa.starts_with('-')))
}

/// Appends an integer; written out because `core::fmt` would weigh more than the rest of a small plugin.
pub(super) fn push_integer(integer: i128, out: &mut String) {
    let mut digits = [0u8; 39];
    let mut at = digits.len();
    let mut rest = integer.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if integer < 0 {
        out.push('-');
    }
    for digit in &digits[at..] {
        out.push(char::from(*digit));
    }
}

#[cfg(test)]
mod tests;
