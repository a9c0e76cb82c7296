//! Routes, each with its description: the one list of which both the router and the document are made.

use std::any::type_name;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use serde_json::json;

use super::operation::{Answered, Operation, Taken};
use crate::names::Names;
use crate::service::App;

/// All routes of a wing, or of the service.
#[derive(Default)]
pub(crate) struct Routes(Vec<(&'static str, Methods)>);

/// The handlers of a path.
#[derive(Default)]
pub(crate) struct Methods {
    router: MethodRouter<App>,
    /// Described when that is asked for: a service is started more often than it is asked what it is.
    operations: Vec<(&'static str, Describe)>,
}

type Describe = fn() -> Operation;

/// A handler of which the types say what it takes and answers.
pub(crate) trait Described<Arguments> {
    fn operation() -> Operation;
}

macro_rules! described {
    ($($argument:ident),*) => {
        impl<F, Answering, $($argument: Taken),*> Described<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Answering,
            Answering: Future<Output: Answered>,
        {
            fn operation() -> Operation {
                let (_, id) = type_name::<F>().split_once("::").unwrap_or_default();
                let mut operation = Operation::named(id.replace("::", "."));
                <Answering::Output as Answered>::tell(&mut operation);
                $($argument::tell(&mut operation);)*
                operation
            }
        }
    };
}

described!();
described!(A);
described!(A, B);
described!(A, B, C);
described!(A, B, C, D);

macro_rules! first_methods {
    ($($method:ident),*) => {
        $(
            /// Handles requests of this method.
            pub(crate) fn $method<H, T, A>(handler: H) -> Methods
            where
                H: Handler<T, App> + Described<A>,
                T: 'static,
            {
                Methods::default().$method(handler)
            }
        )*
    };
}

macro_rules! methods {
    ($($method:ident),*) => {
        impl Methods {
            $(
                /// Handles requests of this method as well.
                pub(crate) fn $method<H, T, A>(mut self, handler: H) -> Self
                where
                    H: Handler<T, App> + Described<A>,
                    T: 'static,
                {
                    self.operations.push((stringify!($method), H::operation));
                    Self { router: self.router.merge(routing::$method(handler)), ..self }
                }
            )*
        }
    };
}

first_methods!(get, post, put);
methods!(get, post, put, delete);

impl Routes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn route(mut self, path: &'static str, methods: Methods) -> Self {
        self.0.push((path, methods));
        self
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Path, method and description of each operation.
    pub(crate) fn operations(&self) -> impl Iterator<Item = (String, &'static str, Operation)> {
        self.0.iter().flat_map(|(path, methods)| {
            methods.operations.iter().map(|(method, describe)| (path.to_string(), *method, describe().at(path)))
        })
    }

    pub(crate) fn into_router(self, names: &Names) -> Router<App> {
        self.0
            .into_iter()
            .fold(Router::new(), |router, (path, methods)| router.route(&names.path(path), methods.router))
    }
}

impl Operation {
    /// With the names of the variable parts of its path.
    fn at(mut self, path: &str) -> Self {
        let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let places = names.zip(&self.places);
        let places =
            places.map(|(name, schema)| json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        self.parameters.splice(0..0, places.collect::<Vec<_>>());
        self
    }
}
