//! Checks Host and Origin of every request.
//!
//! Host keeps out names that a foreign DNS server points at this machine. Origin keeps out pages of
//! other sites.
//!
//! On the port of a shared machine, requests without a token need the name of this start as Host.
//! Any other name may be an origin that another user's program had before, with a service worker
//! that still answers in it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::token_rules::shows_nothing;
use crate::api::Code;
use crate::web::error::ApiError;

/// The Host of a request that passed [`check_host`], in lower case. In the extensions of the
/// request.
#[derive(Clone)]
pub(crate) struct CheckedHost(Arc<str>);

/// The one name under which the port of a shared machine answers requests without a token. In the
/// extensions of requests over that port.
#[derive(Clone)]
pub(crate) struct AllowedPortHost(pub(crate) Arc<str>);

impl CheckedHost {
    /// Returns the Host of a request if it names this machine's loopback.
    pub(crate) fn of(request: &Request) -> Result<Self, Code> {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let host = hosts.next();
        if hosts.next().is_some() {
            return Err(Code::BadRequest);
        }
        let Some(host) = host else {
            // RFC 9112, 3.2: a request of 1.1 without one is malformed.
            return Err(if request.version() == Version::HTTP_11 { Code::BadRequest } else { Code::BadHost });
        };
        let host = host.to_str().map_err(|_| Code::BadHost)?.to_ascii_lowercase();
        let is_same = request.uri().authority().is_none_or(|authority| authority.as_str().eq_ignore_ascii_case(&host));
        if is_same && is_loopback(&host) { Ok(Self(host.into())) } else { Err(Code::BadHost) }
    }

    /// Returns the name with the port, as the client wrote it but in lower case.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Refuses requests whose Host is not this machine's loopback.
pub(crate) async fn check_host(mut request: Request, next: Next) -> Response {
    match CheckedHost::of(&request) {
        Ok(host) => {
            request.extensions_mut().insert(host);
            next.run(request).await
        }
        Err(code) => ApiError::from(code).into_response(),
    }
}

/// Refuses requests without a token that come to the port of a shared machine under another name
/// than that of this start, and requests of other origins.
pub(crate) async fn check_origin(request: Request, next: Next) -> Response {
    let Some(host) = request.extensions().get::<CheckedHost>() else {
        return ApiError::from(Code::BadHost).into_response();
    };
    if shows_nothing(&request) && !has_port_name(&request) {
        return ApiError::new(Code::BadHost, "This sign-in link has expired. Get a new one with `roomful url`.")
            .into_response();
    }
    if !is_same_origin(host.as_str(), request.headers()) {
        return ApiError::from(Code::BadOrigin).into_response();
    }
    next.run(request).await
}

/// Returns true if the Host is the name that the port of the request answers to without a token.
pub(crate) fn has_port_name(request: &Request) -> bool {
    let host = request.extensions().get::<CheckedHost>().map_or("", CheckedHost::as_str);
    request.extensions().get::<AllowedPortHost>().is_none_or(|AllowedPortHost(name)| name_of(host) == &**name)
}

/// Returns true if a Host is localhost, a name under .localhost, an address in 127.0.0.0/8 or
/// `[::1]`, on any port.
fn is_loopback(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        return address.parse() == Ok(Ipv6Addr::LOCALHOST)
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let name = match host.split_once(':') {
        Some((name, port)) if is_port(port) => name,
        Some(_) => return false,
        None => host,
    };
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        return address.is_loopback();
    }
    // It goes into the policy header, so nothing but what names are made of.
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name == "localhost" || name.strip_suffix(".localhost").is_some_and(|names| names.split('.').all(is_label))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// Returns a Host without its port, which differs after a forward.
fn name_of(host: &str) -> &str {
    host.split_once(':').map_or(host, |(name, _)| name)
}

/// Returns true if every Origin is the origin of the page under this Host.
fn is_same_origin(host: &str, headers: &HeaderMap) -> bool {
    headers.get_all(header::ORIGIN).iter().all(|origin| {
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        origin.strip_prefix("http://").is_some_and(|origin| origin == host)
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn loopback_hosts_are_accepted() {
        for host in [
            "localhost",
            "localhost:7680",
            "a.localhost",
            "a-b.c_d.localhost:1",
            "127.0.0.1",
            "127.0.0.2:65535",
            "127.255.255.255",
            "[::1]",
            "[::1]:80",
            "[0:0:0:0:0:0:0:1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.org",
            "localhost.example.org",
            "localhost.",
            ".localhost",
            "a..localhost",
            "xlocalhost",
            "128.0.0.1",
            "0.0.0.0",
            "127.1",
            "0177.0.0.1",
            "2130706433",
            "127.0.0.1.nip.io",
            "[::]",
            "[::2]",
            "::1",
            "[::1",
            "[::1]x",
            "localhost:",
            "localhost:65536",
            "localhost:+1",
            "localhost:80:80",
            "a b.localhost",
            "a;b.localhost",
            "localhost/",
            "user@localhost",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn foreign_origins_are_refused() {
        #[track_caller]
        fn check(origins: &[&'static str], expected: bool) {
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(is_same_origin("localhost:7680", &headers), expected, "{origins:?}");
        }
        check(&[], true);
        check(&["http://localhost:7680"], true);
        check(&["HTTP://LOCALHOST:7680"], true);
        for origin in
            ["null", "", "https://localhost:7680", "http://localhost", "http://localhost:7681", "http://127.0.0.1:7680"]
        {
            check(&[origin], false);
        }
        check(&["http://localhost:7680", "http://evil.example"], false);
    }
}
