//! Facts about what is shown: each is a test of its name with a snapshot of that name.

/// `facts! { name: text; }` compares texts; `facts! { by show; name: input; }` what a function makes of them.
macro_rules! facts {
    (by $show:expr; $($name:ident: $input:expr;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!($show($input));
        }
    )*};
    ($($name:ident: $text:expr;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!($text);
        }
    )*};
}
