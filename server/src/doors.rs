//! The list of the center's doors: every route is added here and nowhere else, so that what
//! is served and what is listed are the same.
//!
//! [`Doors`] is a router that remembers what it was given. The walk of all routes by all
//! roles ([`crate::policy`], `tests/policy/table.csv`) goes by its list, so that a new route
//! without a row in the table fails; that no router is made elsewhere is tested there, too.

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::IntoResponse;
use axum::routing::{self, MethodRouter, Route};
use tower::{Layer, Service};

/// One route: a method and a path.
pub(crate) type Door = (&'static str, String);

/// What is done at a path, by method.
pub(crate) struct Way<S> {
    methods: Vec<&'static str>,
    handlers: MethodRouter<S>,
}

macro_rules! ways {
    ($($method:ident)*) => {
        $(
            pub(crate) fn $method<H, T, S>(handler: H) -> Way<S>
            where
                H: Handler<T, S>,
                T: 'static,
                S: Clone + Send + Sync + 'static,
            {
                Way {
                    methods: vec![stringify!($method)],
                    handlers: routing::$method(handler),
                }
            }
        )*
        impl<S: Clone + Send + Sync + 'static> Way<S> {
            $(
                #[allow(dead_code)] // Each method is here, whether a second way uses it or not.
                pub(crate) fn $method<H, T>(mut self, handler: H) -> Self
                where
                    H: Handler<T, S>,
                    T: 'static,
                {
                    self.methods.push(stringify!($method));
                    self.handlers = self.handlers.$method(handler);
                    self
                }
            )*
        }
    };
}

ways!(get post put delete);

/// A router and the list of its routes.
pub(crate) struct Doors<S = ()> {
    router: Router<S>,
    list: Vec<Door>,
}

impl<S: Clone + Send + Sync + 'static> Doors<S> {
    pub(crate) fn new() -> Self {
        Self {
            router: Router::new(),
            list: Vec::new(),
        }
    }

    pub(crate) fn route(mut self, path: &str, way: Way<S>) -> Self {
        let doors = way.methods.iter().map(|method| (*method, path.to_owned()));
        self.list.extend(doors);
        self.router = self.router.route(path, way.handlers);
        self
    }

    pub(crate) fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.router = self.router.layer(layer);
        self
    }

    /// As [`Doors::layer`], but what is not there stays not there.
    pub(crate) fn route_layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.router = self.router.route_layer(layer);
        self
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.list.extend(other.list);
        self.router = self.router.merge(other.router);
        self
    }

    pub(crate) fn with_state<T>(self, state: S) -> Doors<T> {
        Doors {
            router: self.router.with_state(state),
            list: self.list,
        }
    }

    /// Every route that there is.
    #[cfg(test)]
    pub(crate) fn list(&self) -> &[Door] {
        &self.list
    }

    pub(crate) fn into_router(self) -> Router<S> {
        self.router
    }
}
