//! Numbers as people read them.

/// A size: `512 bytes`, `39.1 KiB`, `1.0 MiB`.
pub fn bytes(count: u64) -> String {
    let in_units = |unit: u64| {
        let tenths = (count * 10 + unit / 2) / unit;
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match count {
        0..1024 => format!("{count} bytes"),
        1024..1_048_576 => format!("{} KiB", in_units(1024)),
        _ => format!("{} MiB", in_units(1_048_576)),
    }
}

/// A time: `38 µs`, `1.2 ms`, `3.4 s`.
pub fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// A count in groups of three: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_times_and_counts_are_rounded_for_reading() {
        assert_eq!(
            (bytes(1023).as_str(), bytes(1536).as_str()),
            ("1023 bytes", "1.5 KiB")
        );
        assert_eq!(bytes(18_393_713), "17.5 MiB");
        assert_eq!((time(999).as_str(), time(1_250).as_str()), ("999 µs", "1.2 ms"));
        assert_eq!((count(7).as_str(), count(1_234_567).as_str()), ("7", "1,234,567"));
    }
}
