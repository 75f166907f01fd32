// SPDX-License-Identifier: MIT
//! A web server of the usual kind: it reads queries and JSON, builds answers, and keeps a cache.
//!
//!     GET  /items/17?fields=name,tags    a document, made when it is not in the cache
//!     PUT  /items/17                     parses the JSON that comes with it, keeps it, answers with it
//!     GET  /search?q=red+chair&sort=price&page=2
//!     PUT  /budget?bytes=1000000         the cache's size from now on
//!     GET  /health
//!
//! `web-server [--port N] [--threads N]`; it prints the address when it listens (on the loopback device only).
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::service::{make_service_fn, service_fn};
use hyper::{body, Body, Method, Request, Response, Server, StatusCode};

mod cache;
mod documents;
mod value;

use cache::Cache;
use value::Value;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LARGEST_BODY: usize = 1 << 20;
const PAGE: usize = 20;

/// Why a request is not served.
type Refusal = (StatusCode, String);

fn bad(what: impl Into<String>) -> Refusal {
    (StatusCode::BAD_REQUEST, what.into())
}

/// The parts of `a=1&b=two+words%21`, decoded.
fn query(text: &str) -> HashMap<String, String> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        out.push(match b {
            b'+' => b' ',
            b'%' => {
                let digits: String = bytes.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).unwrap_or(b'?')
            }
            b => b,
        });
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|_| bad(format!("no number: {}", text)))
}

fn item(cache: &Cache, id: u64, wanted: &HashMap<String, String>) -> Value {
    let document = cache.get(id).unwrap_or_else(|| {
        let made = Arc::new(documents::document(id));
        cache.put(id, made.clone());
        made
    });
    match wanted.get("fields") {
        None => (*document).clone(),
        Some(fields) => {
            let found = |field: &str| document.get(field).cloned().unwrap_or(Value::Null);
            Value::map(fields.split(',').map(|field| (field, found(field))))
        }
    }
}

fn search(wanted: &HashMap<String, String>) -> Result<Value, Refusal> {
    let text = wanted.get("q").ok_or_else(|| bad("no q"))?.to_lowercase();
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let page: usize = number(wanted.get("page").map_or("0", String::as_str))?;
    let mut hits = documents::matching(&words);
    match wanted.get("sort").map(String::as_str) {
        Some("price") => hits.sort_by(|a, b| a.price.total_cmp(&b.price).then_with(|| a.name.cmp(&b.name))),
        Some("name") => hits.sort_by(|a, b| a.name.cmp(&b.name)),
        _ => hits.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.name.cmp(&b.name))),
    }
    let shown = hits.iter().skip(page % 3 * PAGE).take(PAGE).map(|hit| {
        Value::map([
            ("name", Value::text(&hit.name)),
            ("price", Value::Number(hit.price)),
            ("score", Value::Number(f64::from(hit.score))),
            ("text", Value::Text(hit.excerpt())),
        ])
    });
    Ok(Value::map([
        ("found", Value::Number(hits.len() as f64)),
        ("words", Value::List(words.iter().map(|w| Value::text(w)).collect())),
        ("hits", Value::List(shown.collect())),
    ]))
}

async fn answer(cache: &Cache, request: Request<Body>) -> Result<Value, Refusal> {
    let uri = request.uri().clone();
    let wanted = query(uri.query().unwrap_or(""));
    let parts: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["health"]) => {
            let (count, bytes) = cache.size();
            Ok(Value::map([
                ("documents", Value::Number(count as f64)),
                ("bytes", Value::Number(bytes as f64)),
            ]))
        }
        (&Method::GET, ["items", id]) => Ok(item(cache, number(id)?, &wanted)),
        (&Method::PUT, ["items", id]) => {
            let id = number(id)?;
            let content = body::to_bytes(request.into_body()).await.map_err(|e| bad(e.to_string()))?;
            if content.len() > LARGEST_BODY {
                return Err((StatusCode::PAYLOAD_TOO_LARGE, "too large".to_owned()));
            }
            let text = std::str::from_utf8(&content).map_err(|e| bad(e.to_string()))?;
            let document = Arc::new(Value::parse(text).map_err(bad)?);
            cache.put(id, document.clone());
            Ok((*document).clone())
        }
        (&Method::GET, ["search"]) => search(&wanted),
        (&Method::PUT, ["budget"]) => {
            cache.resize(number(wanted.get("bytes").ok_or_else(|| bad("no bytes"))?)?);
            Ok(Value::Bool(true))
        }
        _ => Err((StatusCode::NOT_FOUND, format!("nothing at {}", uri.path()))),
    }
}

async fn respond(cache: Arc<Cache>, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let (status, value) = match answer(&cache, request).await {
        Ok(value) => (StatusCode::OK, value),
        Err((status, why)) => (status, Value::map([("error", Value::Text(why))])),
    };
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Body::from(value.to_json())).expect("the header is fine"))
}

fn setting(name: &str, default: usize) -> usize {
    let mut args = std::env::args().skip_while(|arg| arg != name).skip(1);
    args.next()
        .map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{}: no number: {}", name, value)))
}

fn main() {
    let address = SocketAddr::from(([127, 0, 0, 1], setting("--port", 0) as u16));
    let cache = Arc::new(Cache::new(16 << 20));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(setting("--threads", 2))
        .enable_all()
        .build()
        .expect("threads");
    runtime.block_on(async {
        let service = make_service_fn(move |_| {
            let cache = cache.clone();
            async move { Ok::<_, Infallible>(service_fn(move |request| respond(cache.clone(), request))) }
        });
        let server = Server::try_bind(&address).expect("the port is free").tcp_nodelay(true).serve(service);
        println!("http://{}", server.local_addr());
        server.await.expect("serves");
    });
}
