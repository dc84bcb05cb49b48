//! A size by name, as an option gives it: `seq=64`.

/// What a size is called, and the size.
#[derive(Debug, Clone)]
pub struct NamedSize(pub String, pub usize);

impl std::str::FromStr for NamedSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size = |(name, size): (&str, &str)| Some((name.to_string(), size.trim().parse::<usize>().ok()?));
        let named = text.rsplit_once('=').and_then(size).filter(|(name, size)| !name.is_empty() && *size > 0);
        named
            .map(|(name, size)| Self(name, size))
            .ok_or_else(|| format!("{text:?} is not NAME=SIZE, as seq=64"))
    }
}
