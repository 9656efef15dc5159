//! Who may ask: every request passes here first, and every answer last.
//!
//! Host keeps out names that a stranger's DNS pointed at this machine, Origin keeps out other sites' pages, the token
//! everybody else. What says nothing about the node (the shell, its parts, `healthz`) needs no token. There are no
//! cookies and no redirects.
//!
//! On the port of a shared machine, requests without a token need the name of this start as Host.
//! Any other name may be an origin that another user's program had before, with a service worker
//! that still answers in it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Shared;
use super::headers::with_headers;
use super::refused::Refused;
use super::seat::Seat;
use super::worker;
use crate::api::Code;

/// Says with which generation of keys a request came in, if it showed the right one. In the request's extensions.
#[derive(Clone, Copy)]
pub(super) struct Admitted(pub(super) u64);

/// The one name under which the port of a shared machine answers requests without a token. In the
/// extensions of requests over that port.
#[derive(Clone)]
pub(super) struct PortHost(pub(super) Arc<str>);

/// Lets a request through or refuses it, and puts the headers of every answer on.
pub(super) async fn guard(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let host = match check_host(request.uri(), request.version(), request.headers()) {
        Ok(host) => host,
        Err(code) => return with_headers(Refused::from(code).into_response(), None),
    };
    // Under each name, since a worker from before may stand under any.
    if worker::is_script_request(&request) {
        return with_headers(worker::script(), Some(&host));
    }
    let response = match admit(&shared, &host, &mut request).await {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    with_headers(response, Some(&host))
}

async fn admit(shared: &Shared, host: &str, request: &mut Request) -> Result<(), Refused> {
    let path = request.uri().path();
    let is_open = path == "/" || path == "/healthz" || path.starts_with("/static/");
    // A browser's socket can't show a token; it says its hello instead.
    let is_handshake = path == "/ws" && is_upgrade(request);
    let is_named = request.extensions().get::<PortHost>().is_none_or(|PortHost(name)| name_of(host) == &**name);
    if (is_open || is_handshake) && !is_named && shown(request.headers()).is_none() {
        return Err(Refused::new(Code::BadHost, "Open the page by the link of this start: `roomful url` prints it."));
    }
    check_origin(host, request.headers())?;
    if is_open && is_named {
        return Ok(());
    }
    let generation = shared.keys.generation();
    match shown(request.headers()) {
        Some(text) if shared.keys.admit(text) => {
            request.extensions_mut().insert(Admitted(generation));
            Ok(())
        }
        None if is_handshake => Ok(()),
        None => Err(Code::Unauthorized.into()),
        Some(_) => {
            let seat = request.extensions().get::<Seat>().cloned();
            // Whoever waits for this makes room for others first.
            seat.iter().for_each(Seat::waits);
            shared.slow.pay().await;
            seat.iter().for_each(Seat::works);
            Err(Code::Unauthorized.into())
        }
    }
}

/// What a request shows as its token; something else than a bearer is a wrong one.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return Some("");
    }
    let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).unwrap_or_default();
    Some(if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" })
}

fn is_upgrade(request: &Request) -> bool {
    let upgrade = request.headers().get(header::UPGRADE).and_then(|value| value.to_str().ok());
    request.method() == Method::GET && upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// The Host of a request, if it names this machine's loopback.
fn check_host(uri: &Uri, version: Version, headers: &HeaderMap) -> Result<String, Code> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Code::BadRequest);
    }
    let Some(host) = host else {
        // RFC 9112, 3.2: a request of 1.1 without one is malformed.
        return Err(if version == Version::HTTP_11 { Code::BadRequest } else { Code::BadHost });
    };
    let host = host.to_str().map_err(|_| Code::BadHost)?.to_ascii_lowercase();
    let named = uri.authority().is_none_or(|authority| authority.as_str().eq_ignore_ascii_case(&host));
    if named && is_loopback(&host) { Ok(host) } else { Err(Code::BadHost) }
}

/// Whether a Host is localhost, a name under .localhost, an address in 127.0.0.0/8 or `[::1]`, on any port.
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

/// A Host without its port, which is another one after a forward.
fn name_of(host: &str) -> &str {
    host.split_once(':').map_or(host, |(name, _)| name)
}

/// An Origin, if there is one, is this very page.
fn check_origin(host: &str, headers: &HeaderMap) -> Result<(), Code> {
    let own = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
        origin.strip_prefix("http://").is_some_and(|origin| origin == host)
    };
    if headers.get_all(header::ORIGIN).iter().all(own) { Ok(()) } else { Err(Code::BadOrigin) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_a_host() {
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
    fn an_origin_is_the_host() {
        #[track_caller]
        fn check(origins: &[&'static str], expected: bool) {
            let mut headers = HeaderMap::new();
            for origin in origins {
                headers.append(header::ORIGIN, HeaderValue::from_static(origin));
            }
            assert_eq!(check_origin("localhost:7680", &headers).is_ok(), expected, "{origins:?}");
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
