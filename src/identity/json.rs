//! JSON objects that strangers send: each member is there once, and members that nobody asked for are checked, but not kept.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The largest number of members of an object; real headers and payloads have a few dozen.
const MAX_MEMBERS: usize = 128;

/// What is read from the members of an object.
pub(super) trait Members<'de>: Default {
    /// Takes the value of the member `name`: [`Skipped`] if it is not known.
    fn take<A: MapAccess<'de>>(&mut self, name: &str, object: &mut A) -> Result<(), A::Error>;
}

/// Reads an object. Anything else, a member that is there twice, and bytes that are no UTF-8, are `None`.
pub(super) fn read<'de, T: Members<'de>>(json: &'de [u8]) -> Option<T> {
    let mut json = serde_json::Deserializer::from_str(std::str::from_utf8(json).ok()?);
    let read = json.deserialize_map(Once(PhantomData)).ok()?;
    json.end().ok()?;
    Some(read)
}

struct Once<T>(PhantomData<T>);

impl<'de, T: Members<'de>> Visitor<'de> for Once<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object whose members are each there once")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<T, A::Error> {
        let mut read = T::default();
        let mut names = Vec::new();
        while let Some(Text(name)) = object.next_key()? {
            if names.len() == MAX_MEMBERS {
                return Err(A::Error::custom("too many members"));
            }
            read.take(&name, &mut object)?;
            names.push(name);
        }
        names.sort_unstable();
        if names.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
            return Err(A::Error::custom("a member is there twice"));
        }
        Ok(read)
    }
}

/// A text, borrowed where it has no escapes.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Any value, checked and not kept.
pub(super) struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Skipped;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Skipped, E> {
                Ok(Skipped)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Skipped, E> {
                Ok(Skipped)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Skipped, E> {
                Ok(Skipped)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Skipped, E> {
                Ok(Skipped)
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Skipped, E> {
                Ok(Skipped)
            }

            fn visit_unit<E: Error>(self) -> Result<Skipped, E> {
                Ok(Skipped)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Skipped, A::Error> {
                while list.next_element::<Skipped>()?.is_some() {}
                Ok(Skipped)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Skipped, A::Error> {
                while object.next_entry::<Skipped, Skipped>()?.is_some() {}
                Ok(Skipped)
            }
        }

        deserializer.deserialize_any(Any)
    }
}
