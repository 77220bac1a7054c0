//! The list of country codes: read leniently, and bounded, because a tenant writes it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::Field;
use super::text::Text;

/// The most entries that are kept.
const ENTRIES: usize = 512;
/// The most display names and suffixes that an entry keeps.
const PARTS: usize = 32;
/// The longest name or code, in bytes; a longer one counts as absent.
const LONGEST_NAME: usize = 256;
/// The longest pattern, in bytes; a longer one counts as absent.
const LONGEST_PATTERN: usize = 1024;

/// What the response carries.
pub(crate) struct CountryCodesParts {
    pub(crate) entries: Vec<CountryCodeParts>,
    pub(crate) preferred: Option<String>,
}

/// An entry: whatever of it is there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CountryCodeParts {
    pub(crate) area_code: Option<String>,
    pub(crate) country_code: Option<String>,
    pub(crate) display_names: BTreeMap<String, String>,
    pub(crate) mobile_regex: Option<String>,
    pub(crate) suffixes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    #[serde(borrow, default)]
    area_code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    country_code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    display_mapping: Option<&'a RawValue>,
    #[serde(borrow, default)]
    mobile_regex: Option<&'a RawValue>,
    #[serde(borrow, default)]
    area_code_suffixes: Option<&'a RawValue>,
}

/// The entries of the list; `None` if it is no list. What is no entry is left out.
pub(super) fn entries(list: &RawValue) -> Option<Vec<CountryCodeParts>> {
    let First(values) = serde_json::from_str::<First<ENTRIES>>(list.get()).ok()?;
    Some(values.into_iter().filter_map(entry).collect())
}

/// The text of a field, unless it is empty or too long.
pub(super) fn name(field: &Field<'_>) -> Option<String> {
    let text = field.token().ok().flatten()?;
    (text.len() <= LONGEST_NAME).then(|| text.to_owned())
}

fn entry(value: &RawValue) -> Option<CountryCodeParts> {
    // A list would count as one, too.
    let json = Some(value.get()).filter(|json| json.starts_with('{'))?;
    let entry: Entry<'_> = serde_json::from_str(json).ok()?;
    let short = |value: Option<&RawValue>| text(value?, LONGEST_NAME);
    Some(CountryCodeParts {
        area_code: short(entry.area_code),
        country_code: short(entry.country_code),
        display_names: entry.display_mapping.map(names).unwrap_or_default(),
        mobile_regex: entry.mobile_regex.and_then(|value| text(value, LONGEST_PATTERN)),
        suffixes: entry.area_code_suffixes.map(suffixes).unwrap_or_default(),
    })
}

/// A text, or a whole number as one; `None` if it is empty, too long or of another type.
fn text(value: &RawValue, longest: usize) -> Option<String> {
    let json = value.get();
    if json.len() > 6 * longest + 2 {
        return None;
    }
    let text = match Text::of_json(json) {
        Some(text) => text.as_str().trim_ascii().to_owned(),
        None => json.parse::<u64>().ok()?.to_string(),
    };
    (!text.is_empty() && text.len() <= longest).then_some(text)
}

/// The names by language; an object of another form has none.
fn names(value: &RawValue) -> BTreeMap<String, String> {
    let names: BTreeMap<String, &RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
    let fits = |(language, name): (String, &RawValue)| {
        (language.len() <= LONGEST_NAME).then_some(())?;
        Some((language, text(name, LONGEST_NAME)?))
    };
    names.into_iter().filter_map(fits).take(PARTS).collect()
}

/// A list of texts; the page's table says that it is one text.
fn suffixes(value: &RawValue) -> Vec<String> {
    match serde_json::from_str::<First<PARTS>>(value.get()) {
        Ok(First(values)) => values.into_iter().filter_map(|value| text(value, LONGEST_NAME)).collect(),
        Err(_) => text(value, LONGEST_NAME).into_iter().collect(),
    }
}

/// The first values of a list, which may be longer.
struct First<'a, const N: usize>(Vec<&'a RawValue>);

impl<'de: 'a, 'a, const N: usize> Deserialize<'de> for First<'a, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<const N: usize>;

        impl<'de, const N: usize> Visitor<'de> for ListVisitor<N> {
            type Value = First<'de, N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while values.len() < N
                    && let Some(value) = list.next_element()?
                {
                    values.push(value);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(values))
            }
        }

        deserializer.deserialize_seq(ListVisitor)
    }
}
