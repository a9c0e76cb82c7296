//! Tests of what a wrong scenario is told, each a snapshot of its name.

macro_rules! facts {
    ($($name:ident: $text:expr;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!($text);
        }
    )*};
}
