//! The web server: a host's files, over TLS or in the clear.

use std::convert::Infallible;
use std::path::{Component, Path, PathBuf};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Serves connections until it is dropped.
pub(super) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, sites: PathBuf) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, sites) = (tls.clone(), sites.clone());
        // A client that goes away early is its own affair, here and below.
        connections.spawn(async move {
            match tls {
                None => talk(stream, &sites).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        talk(stream, &sites).await;
                    }
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, sites: &Path) {
    let service = service_fn(async |request| Ok::<_, Infallible>(answer(&request, sites)));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn answer(request: &Request<Incoming>, sites: &Path) -> Response<Full<Bytes>> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("no-host.example");
    let host = host.split(':').next().unwrap_or(host);
    let site = sites.join(host.strip_prefix("www.").unwrap_or(host));
    let path = request.uri().path();
    if !site.is_dir() {
        let page = format!("This is {host}, as the lab's internet has it.\n");
        return response(StatusCode::OK, "text/plain", page.into_bytes());
    }
    match file(&site, path) {
        Some(bytes) => response(StatusCode::OK, content_type(path), bytes),
        None => response(StatusCode::NOT_FOUND, "text/plain", format!("{host} has no {path}\n").into_bytes()),
    }
}

fn file(site: &Path, path: &str) -> Option<Vec<u8>> {
    let relative = PathBuf::from(path.trim_start_matches('/').replace("%2B", "+"));
    let inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let found = site.join(relative);
    let found = if found.is_dir() { found.join("index.html") } else { found };
    inside.then(|| std::fs::read(found).ok()).flatten()
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "whl" | "pack" | "idx")) => "application/octet-stream",
        _ if path.ends_with('/') => "text/html",
        _ => "text/plain",
    }
}

fn response(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}
