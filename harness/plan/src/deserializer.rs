//! A serde deserializer over a tree with places, which goes on after an error.
//!
//! Serde stops at the first error. So a value that cannot be read is reported and left out, and the tree is read again
//! without it, until it can be read; unknown keys are reported on the way. The structs that it fills stay plain serde.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::BoolDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};

use crate::document::{EITHER, STEP};
use crate::node::{Kind, Node, Word};
use crate::problem::Problems;
use crate::span::{SPANNED, Span};
use crate::suggestion::{self, nearest, synonym};

/// After this many values that cannot be read, the rest is not looked at.
const MISREAD_MAX: usize = 50;
/// Steps in blocks of steps are read so deep. The language allows less; more would cost the stack.
const STEPS_DEPTH_MAX: u32 = 8;

/// Reads `node` as a `T`, leaving out what cannot be read after reporting it. None when the root itself cannot be.
pub(crate) fn read<T: DeserializeOwned>(node: &Node, problems: &Problems<'_>) -> Option<T> {
    let reader = Reader { problems, told: RefCell::default(), left_out: RefCell::default(), steps: Cell::new(0) };
    for _ in 0..MISREAD_MAX {
        let invalid = match T::deserialize(Input { node, reader: &reader }) {
            Ok(value) => return Some(value),
            Err(invalid) => invalid.at(node),
        };
        let at = invalid.at.unwrap_or_default();
        if !invalid.silent {
            problems.misread(at.span, invalid.message, invalid.help);
        }
        if at.id == node.id || !reader.left_out.borrow_mut().insert(at.id) {
            return None;
        }
    }
    None
}

struct Reader<'a> {
    problems: &'a Problems<'a>,
    /// Keys that were reported, by their ids.
    told: RefCell<BTreeSet<u32>>,
    /// Values that could not be read, by their ids.
    left_out: RefCell<BTreeSet<u32>>,
    /// How many steps are being read, each in a block of the one before.
    steps: Cell<u32>,
}

impl Reader<'_> {
    fn is_left_out(&self, node: &Node) -> bool {
        self.left_out.borrow().contains(&node.id)
    }

    fn tell(&self, key: &Node, message: String, help: Option<String>) {
        if self.told.borrow_mut().insert(key.id) {
            self.problems.misread(key.span, message, help);
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    id: u32,
    span: Span,
}

/// A value that cannot be read.
#[derive(Debug)]
pub(crate) struct Invalid {
    message: String,
    help: Option<String>,
    at: Option<Place>,
    missing: Option<&'static str>,
    silent: bool,
}

impl Invalid {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, at: None, missing: None, silent: false }
    }

    fn at(mut self, node: &Node) -> Self {
        self.at.get_or_insert(Place { id: node.id, span: node.span });
        self
    }

    fn expected(what: &str, node: &Node) -> Self {
        let silent = matches!(node.kind, Kind::Broken);
        Self { silent, ..Self::new(format!("expected {what}, found {}", node.describe())).at(node) }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Invalid {}

impl de::Error for Invalid {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::new(format!("`{field}` is missing here")) }
    }
}

#[derive(Clone, Copy)]
struct Input<'n> {
    node: &'n Node,
    reader: &'n Reader<'n>,
}

macro_rules! whole_number {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
            match self.node.word() {
                Some(Word::Unsigned(number)) => {
                    let narrow = number.try_into().map_err(|_| self.too_large())?;
                    visitor.$visit(narrow)
                }
                Some(Word::Huge(_)) => Err(self.too_large()),
                _ => Err(Invalid::expected("a whole number", self.node)),
            }
        }
    )*};
}

impl Input<'_> {
    fn too_large(&self) -> Invalid {
        Invalid::new("the number is too large").at(self.node)
    }
}

impl<'de> de::Deserializer<'de> for Input<'_> {
    type Error = Invalid;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        match self.node.word() {
            Some(Word::Null) => visitor.visit_unit(),
            Some(Word::Bool(value)) => visitor.visit_bool(value),
            Some(Word::Unsigned(value)) => visitor.visit_u64(value),
            Some(Word::Signed(value)) => visitor.visit_i64(value),
            Some(Word::Float(value)) => visitor.visit_f64(value),
            Some(Word::Text(text)) => visitor.visit_str(text),
            Some(Word::Huge(_)) => {
                Err(Invalid { help: Some("put it in quotes to send it as text".to_owned()), ..self.too_large() })
            }
            None => match &self.node.kind {
                Kind::List(_) => self.deserialize_seq(visitor),
                _ => self.deserialize_map(visitor),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        match self.node.word() {
            Some(Word::Bool(value)) => visitor.visit_bool(value),
            _ => Err(Invalid::expected("true or false", self.node)),
        }
    }

    whole_number! {
        deserialize_u8 visit_u8
        deserialize_u16 visit_u16
        deserialize_u32 visit_u32
        deserialize_u64 visit_u64
    }

    /// Numbers and words read as text keep their spelling: `1.10` stays `1.10`.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        match &self.node.kind {
            Kind::Scalar { text, .. } if self.node.word() != Some(Word::Null) => visitor.visit_str(text),
            _ => Err(Invalid::expected("text", self.node)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        let Kind::List(items) = &self.node.kind else { return Err(Invalid::expected("a list", self.node)) };
        visitor.visit_seq(Items { items: items.iter(), reader: self.reader })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        let Kind::Map(entries) = &self.node.kind else { return Err(Invalid::expected("a map", self.node)) };
        visitor.visit_map(Entries::new(entries, None, self.reader))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        if name == SPANNED {
            return visitor.visit_seq(Placed { input: self, part: 0 });
        }
        let Kind::Map(entries) = &self.node.kind else {
            let help = Some(format!("its keys are {}", suggestion::listed(fields)));
            return Err(Invalid { help, ..Invalid::expected("a map", self.node) });
        };
        let depth = self.reader.steps.get();
        if depth == STEPS_DEPTH_MAX && name == STEP {
            return Err(Invalid::new("blocks stand in each other too deep").at(self.node));
        }
        self.reader.steps.set(depth + u32::from(name == STEP));
        let access = Entries::new(entries, Some(fields), self.reader);
        let read = visitor.visit_map(access);
        self.reader.steps.set(depth);
        read.map_err(|invalid| excused(entries, invalid).at(self.node))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        if name == EITHER {
            return visitor.visit_enum(Branch(self));
        }
        match &self.node.kind {
            // A version such as `1.1` is a word as well.
            Kind::Scalar { text, .. } if variants.contains(&text.as_ref()) => {
                visitor.visit_enum(text.as_str().into_deserializer())
            }
            _ => Err(Invalid {
                help: nearest(self.node.written(), variants.iter().copied()).map(suggestion::did_you_mean),
                ..Invalid::expected(&format!("one of {}", suggestion::listed(variants)), self.node)
            }),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Invalid> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u128 f32 f64 char bytes byte_buf unit unit_struct newtype_struct tuple tuple_struct
    }
}

/// A field that was written but could not be read is not reported as missing besides.
fn excused(entries: &[(Node, Node)], mut invalid: Invalid) -> Invalid {
    let written = |field: &str| entries.iter().any(|(key, _)| key.written() == field);
    invalid.silent |= invalid.at.is_none() && invalid.missing.is_some_and(written);
    invalid
}

struct Items<'n> {
    items: std::slice::Iter<'n, Node>,
    reader: &'n Reader<'n>,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Invalid;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Invalid> {
        let reader = self.reader;
        let Some(node) = self.items.find(|node| !reader.is_left_out(node)) else { return Ok(None) };
        seed.deserialize(Input { node, reader }).map(Some).map_err(|invalid| invalid.at(node))
    }
}

struct Entries<'n> {
    pairs: &'n [(Node, Node)],
    next: usize,
    /// Fields that misspelt keys were taken for.
    taken: Vec<&'static str>,
    value: Option<&'n Node>,
    /// The keys of a struct; none for a map with keys of the user's choice.
    fields: Option<&'static [&'static str]>,
    reader: &'n Reader<'n>,
}

impl<'n> Entries<'n> {
    fn new(pairs: &'n [(Node, Node)], fields: Option<&'static [&'static str]>, reader: &'n Reader<'n>) -> Self {
        Self { pairs, next: 0, taken: vec![], value: None, fields, reader }
    }

    /// Which field of the struct a key is. A key that is nearly one is reported and then taken for it, so that what
    /// would follow from its absence is not reported as well.
    fn field(&mut self, fields: &'static [&'static str], key: &Node) -> Option<&'static str> {
        let written = key.written();
        if let Some(field) = fields.iter().find(|field| **field == written) {
            return Some(field);
        }
        let help = suggestion::help(written, fields.iter().copied());
        self.reader.tell(key, format!("unknown key `{written}`"), help);
        let is_written = |field: &str| self.pairs.iter().any(|(key, _)| key.written() == field);
        let free = fields.iter().copied().filter(|field| !is_written(field) && !self.taken.contains(field));
        // What another tool means by its word may be written in another way.
        if synonym(written, fields.iter().copied()).is_some() {
            return None;
        }
        let meant = nearest(written, free)?;
        self.taken.push(meant);
        Some(meant)
    }

    fn is_wanted(&self, key: &Node, value: &Node) -> bool {
        if self.fields.is_some() && value.is_empty() {
            let help = Some("give it one, or remove the key".to_owned());
            self.reader.tell(key, format!("`{}` has no value", key.written()), help);
            return false;
        }
        !self.reader.is_left_out(value)
    }
}

impl<'de> de::MapAccess<'de> for Entries<'_> {
    type Error = Invalid;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Invalid> {
        while let Some((key, value)) = self.pairs.get(self.next) {
            self.next += 1;
            let field = self.fields.map(|fields| self.field(fields, key));
            if field == Some(None) || !self.is_wanted(key, value) {
                continue;
            }
            self.value = Some(value);
            let read = match field.flatten() {
                Some(field) => seed.deserialize(field.into_deserializer()),
                None => seed.deserialize(Input { node: key, reader: self.reader }),
            };
            return read.map(Some).map_err(|invalid: Invalid| invalid.at(value));
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Invalid> {
        let node = self.value.take().ok_or_else(|| Invalid::new("a value was asked for before its key"))?;
        seed.deserialize(Input { node, reader: self.reader }).map_err(|invalid| invalid.at(node))
    }
}

/// Start, end and value of a [`crate::span::Spanned`].
struct Placed<'n> {
    input: Input<'n>,
    part: u8,
}

impl<'de> de::SeqAccess<'de> for Placed<'_> {
    type Error = Invalid;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Invalid> {
        self.part += 1;
        match self.part {
            1 => seed.deserialize(self.input.node.span.start.into_deserializer()).map(Some),
            2 => seed.deserialize(self.input.node.span.end.into_deserializer()).map(Some),
            3 => seed.deserialize(self.input).map(Some),
            _ => Ok(None),
        }
    }
}

/// Which side of a [`crate::document::Either`] is written: true for a list or a map.
struct Branch<'n>(Input<'n>);

impl<'de> de::EnumAccess<'de> for Branch<'_> {
    type Error = Invalid;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Invalid> {
        let nested = !matches!(self.0.node.kind, Kind::Scalar { .. });
        let tag: BoolDeserializer<Invalid> = nested.into_deserializer();
        Ok((seed.deserialize(tag)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Branch<'_> {
    type Error = Invalid;

    fn unit_variant(self) -> Result<(), Invalid> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Invalid> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Invalid> {
        de::Deserializer::deserialize_seq(self.0, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Invalid> {
        de::Deserializer::deserialize_map(self.0, visitor)
    }
}
