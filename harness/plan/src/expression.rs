//! What stands in a hole: a name, a text, a number, or a function of such.

/// An expression as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expression<'a> {
    /// Quoted text.
    Text(&'a str),
    /// A whole number.
    Number(i64),
    /// A value by its name.
    Name(&'a str),
    /// A function's name and its arguments.
    Call(&'a str, Vec<Expression<'a>>),
}

/// Functions in functions.
const DEPTH_MAX: usize = 8;

/// What is wrong, and the text from the place on where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed<'a> {
    pub(crate) rest: &'a str,
    pub(crate) why: &'static str,
}

/// Reads what stands between `{{` and `}}`, without the blanks around it. Text that calls no function and has no quotes is
/// a name, whatever its letters.
pub(crate) fn parse(text: &str) -> Result<Expression<'_>, Malformed<'_>> {
    if !text.contains(['(', ')', '"', '\'', ',']) {
        return Ok(Expression::Name(text));
    }
    let mut parser = Parser { rest: text };
    let expression = parser.expression(0)?;
    parser.blanks();
    if parser.rest.is_empty() { Ok(expression) } else { Err(parser.wrong("this does not belong here")) }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn expression(&mut self, depth: usize) -> Result<Expression<'a>, Malformed<'a>> {
        self.blanks();
        if depth > DEPTH_MAX {
            return Err(self.wrong("there are too many functions in each other here"));
        }
        if let Some(quote) = self.rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            return self.quoted(quote);
        }
        let len =
            self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c))).unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(len);
        if word.is_empty() {
            return Err(self.wrong("a name, a number or a quoted text is missing here"));
        }
        if let Ok(number) = word.parse() {
            self.rest = after;
            return Ok(Expression::Number(number));
        }
        self.rest = after;
        if self.take('(') {
            self.arguments(depth).map(|list| Expression::Call(word, list))
        } else {
            Ok(Expression::Name(word))
        }
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Expression<'a>>, Malformed<'a>> {
        let mut arguments = vec![];
        self.blanks();
        if self.take(')') {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression(depth + 1)?);
            self.blanks();
            if self.take(')') {
                return Ok(arguments);
            }
            if !self.take(',') {
                return Err(self.wrong("`,` or `)` is missing here"));
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<Expression<'a>, Malformed<'a>> {
        let inside = &self.rest[1..];
        let Some(end) = inside.find(quote) else { return Err(self.wrong("this quote is not closed")) };
        self.rest = &inside[end + 1..];
        Ok(Expression::Text(&inside[..end]))
    }

    fn take(&mut self, wanted: char) -> bool {
        let after = self.rest.strip_prefix(wanted);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn wrong(&self, why: &'static str) -> Malformed<'a> {
        Malformed { rest: self.rest, why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_stand_in_functions() {
        let inner = Expression::Call("basic", vec![Expression::Name("user.name"), Expression::Text("a, b)")]);
        let outer = Expression::Call("base64", vec![inner, Expression::Number(-3)]);
        assert_eq!(parse("base64( basic(user.name, 'a, b)') ,-3 )").unwrap(), outer);
        assert_eq!(parse("now()").unwrap(), Expression::Call("now", vec![]));
        assert_eq!(parse("any thing").unwrap(), Expression::Name("any thing"));
    }

    #[test]
    fn what_is_wrong_is_said_where() {
        let table = [
            ("a(", ""),
            ("a(b", ""),
            ("a(b c)", "c)"),
            ("a()b", "b"),
            ("a('b)", "'b)"),
            ("(a)", "(a)"),
            ("a(,)", ",)"),
        ];
        for (text, rest) in table {
            assert_eq!(parse(text).unwrap_err().rest, rest, "{text}");
        }
        assert!(parse(&"a(".repeat(100_000)).is_err());
    }
}
