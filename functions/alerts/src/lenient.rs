//! Reading JSON whose writers disagree: a number may come as a string, a key twice (the last one holds),
//! an object as null. What is of another kind than expected is as if it weren't there; only what isn't
//! JSON at all is an error. Nothing is copied but text with escapes in it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Takes what it can use of whatever value there is.
pub(crate) trait Lenient<'de>: Default {
    /// The value is a text.
    fn text(&mut self, _text: Cow<'de, str>) {}

    /// The value is a whole number, not negative.
    fn number(&mut self, _number: u64) {}

    /// The value is an object; this is one of its keys. Its value has to be read.
    fn entry<A: MapAccess<'de>>(&mut self, _key: &str, map: &mut A) -> Result<(), A::Error> {
        skip(map)
    }

    /// The value is a list. Reads its next element; false at its end.
    fn element<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        Ok(list.next_element::<IgnoredAny>()?.is_some())
    }
}

/// Reads the value of a key into its place.
pub(crate) fn take<'de, T: Lenient<'de>, A: MapAccess<'de>>(
    place: &mut T,
    map: &mut A,
) -> Result<(), A::Error> {
    *place = map.next_value::<Leniently<T>>()?.0;
    Ok(())
}

/// Reads over the value of a key.
pub(crate) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<(), A::Error> {
    map.next_value::<IgnoredAny>().map(drop)
}

/// The `Deserialize` of everything that is [`Lenient`].
pub(crate) struct Leniently<T>(pub(crate) T);

impl<'de, T: Lenient<'de>> Deserialize<'de> for Leniently<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData)).map(Self)
    }
}

struct Any<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        let mut value = T::default();
        value.text(Cow::Borrowed(text));
        Ok(value)
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        let mut value = T::default();
        value.text(Cow::Owned(text.to_owned()));
        Ok(value)
    }

    fn visit_u64<E>(self, number: u64) -> Result<T, E> {
        let mut value = T::default();
        value.number(number);
        Ok(value)
    }

    fn visit_i64<E>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut value = T::default();
        while let Some(Leniently(Text(Some(key)))) = map.next_key()? {
            value.entry(&key, &mut map)?;
        }
        Ok(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        let mut value = T::default();
        while value.element(&mut list)? {}
        Ok(value)
    }
}

/// A text, or nothing. A number is none.
#[derive(Debug, Default, Clone)]
pub(crate) struct Text<'a>(pub(crate) Option<Cow<'a, str>>);

impl<'de> Lenient<'de> for Text<'de> {
    fn text(&mut self, text: Cow<'de, str>) {
        self.0 = Some(text);
    }
}

/// A whole number, also when it comes as a text; or nothing.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Number(pub(crate) Option<u64>);

impl<'de> Lenient<'de> for Number {
    fn text(&mut self, text: Cow<'de, str>) {
        self.0 = text.parse().ok();
    }

    fn number(&mut self, number: u64) {
        self.0 = Some(number);
    }
}

/// A list of texts; one text alone is a list of one.
#[derive(Debug, Default, Clone)]
pub(crate) struct Texts<'a>(pub(crate) Vec<Cow<'a, str>>);

impl<'de> Lenient<'de> for Texts<'de> {
    fn text(&mut self, text: Cow<'de, str>) {
        self.0.push(text);
    }

    fn element<A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let Some(Leniently(Text(text))) = list.next_element()? else { return Ok(false) };
        self.0.extend(text);
        Ok(true)
    }
}
