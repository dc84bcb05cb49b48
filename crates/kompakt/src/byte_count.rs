//! Sizes as people write them.

use std::str::FromStr;

/// A number of bytes: `1500`, `16MB` (millions), `16MiB` (of 1024 times 1024).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteCount(pub usize);

impl FromStr for ByteCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1.0,
            "k" | "kb" => 1e3,
            "m" | "mb" => 1e6,
            "g" | "gb" => 1e9,
            "kib" => 1024.0,
            "mib" => 1024.0 * 1024.0,
            "gib" => 1024.0 * 1024.0 * 1024.0,
            _ => return Err(format!("{unit:?} is not a unit of bytes; use kB, MB, GB, KiB, MiB or GiB")),
        };
        let number: f64 = number.parse().map_err(|_| format!("{text:?} is not a number of bytes"))?;
        Ok(Self((number * unit) as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::ByteCount;

    #[test]
    fn units() {
        for (text, n) in
            [("0", 0), ("1500", 1500), ("16MB", 16_000_000), ("1.5 KiB", 1536), ("2g", 2_000_000_000)]
        {
            assert_eq!(text.parse(), Ok(ByteCount(n)));
        }
        for text in ["", "MB", "12 parsecs", "-4", "1.2.3"] {
            assert!(text.parse::<ByteCount>().is_err(), "{text}");
        }
    }
}
