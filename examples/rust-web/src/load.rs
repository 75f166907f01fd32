// SPDX-License-Identifier: MIT
//! Loads web-server: so many requests over so many connections, each one after the answer to the
//! one before.
//!
//! `web-load --port N [--requests N] [--connections N] [--documents N] [--seconds N]` ends after the requests, or with an
//! error after the seconds. It prints one line: requests, seconds, requests per second, latencies
//! in microseconds, and a sum over all answers, which is the same whatever the server's allocator.
use std::process;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[allow(dead_code)] // the server's other half of it
mod documents;
#[allow(dead_code)]
mod value;

use documents::{document, Dice};

type Failure = String;

struct Plan {
    port: u16,
    requests: usize,
    documents: usize,
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    micros: Vec<u32>,
    sum: u64,
}

fn request(dice: &mut Dice, documents: usize) -> String {
    match dice.below(10) {
        0..=4 => {
            // Some are asked for far more often than others.
            let range = documents >> (dice.below(4) * 2);
            let fields = if dice.below(3) == 0 { "?fields=name,price,reviews,tags" } else { "" };
            format!("GET /items/{}{} HTTP/1.1\r\nhost: localhost\r\n\r\n", dice.below(range.max(1)), fields)
        }
        5..=7 => {
            let sort = ["score", "price", "name"][dice.below(3)];
            let (one, two, page) = (dice.word(), dice.word(), dice.below(3));
            format!(
                "GET /search?q={}+{}&sort={}&page={} HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\n\r\n",
                one, two, sort, page
            )
        }
        _ => {
            // Numbers of their own, so that no answer depends on what came first.
            let id = documents + dice.below(documents);
            let content = document(id as u64).to_json();
            format!(
                "PUT /items/{} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{}",
                id,
                content.len(),
                content
            )
        }
    }
}

/// Reads one answer; its body, and what was read of it.
async fn answer<'a>(stream: &mut TcpStream, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], Failure> {
    buffer.clear();
    let mut whole = None;
    loop {
        if buffer.capacity() - buffer.len() < 4096 {
            buffer.reserve(16384);
        }
        if stream.read_buf(buffer).await.map_err(|e| e.to_string())? == 0 {
            return Err("the server has closed the connection".to_owned());
        }
        if whole.is_none() {
            whole = head(buffer)?;
        }
        if let Some((start, length)) = whole {
            if buffer.len() >= start + length {
                return Ok(&buffer[start..start + length]);
            }
        }
    }
}

/// Where the body starts and how long it is, once the head is there.
fn head(bytes: &[u8]) -> Result<Option<(usize, usize)>, Failure> {
    let end = match bytes.windows(4).position(|w| w == b"\r\n\r\n") {
        Some(end) => end,
        None => return Ok(None),
    };
    let text = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    if !text.starts_with("http/1.1 200") {
        return Err(format!("not 200: {}", String::from_utf8_lossy(bytes)));
    }
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.and_then(|n| n.trim().parse().ok()).ok_or("no length")?;
    Ok(Some((end + 4, length)))
}

/// FNV-1a over 8 bytes at a time.
fn hash(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(0xcbf2_9ce4_8422_2325, |h, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        (h ^ u64::from_le_bytes(word)).wrapping_mul(0x0100_0000_01b3)
    })
}

async fn connection(plan: &Plan, number: usize, requests: usize) -> Result<Seen, Failure> {
    let mut stream = TcpStream::connect(("127.0.0.1", plan.port)).await.map_err(|e| e.to_string())?;
    stream.set_nodelay(true).map_err(|e| e.to_string())?;
    let mut dice = Dice::new(1000 + number as u64);
    let mut seen = Seen::default();
    let mut buffer = Vec::new();
    for _ in 0..requests {
        let text = request(&mut dice, plan.documents);
        let start = Instant::now();
        stream.write_all(text.as_bytes()).await.map_err(|e| e.to_string())?;
        let body = answer(&mut stream, &mut buffer).await?;
        seen.micros.push(start.elapsed().as_micros() as u32);
        // A sum does not depend on the order.
        seen.sum = seen.sum.wrapping_add(hash(body));
    }
    Ok(seen)
}

fn setting(name: &str, default: usize) -> usize {
    let mut args = std::env::args().skip_while(|arg| arg != name).skip(1);
    args.next()
        .map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{}: no number: {}", name, value)))
}

fn report(seen: Vec<Seen>, seconds: f64) {
    let mut micros: Vec<u32> = seen.iter().flat_map(|s| s.micros.iter().copied()).collect();
    micros.sort_unstable();
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
    println!(
        "requests={} seconds={:.3} rate={:.0} p50_us={} p90_us={} p99_us={} p999_us={} max_us={} sum={:016x}",
        micros.len(),
        seconds,
        micros.len() as f64 / seconds,
        at(0.5),
        at(0.9),
        at(0.99),
        at(0.999),
        at(1.0),
        seen.iter().fold(0u64, |sum, s| sum.wrapping_add(s.sum)),
    );
}

async fn all_connections(plan: &'static Plan, connections: usize) -> Result<Vec<Seen>, Failure> {
    let tasks: Vec<_> = (0..connections)
        .map(|i| tokio::spawn(connection(plan, i, (plan.requests + i) / connections)))
        .collect();
    let mut seen = Vec::new();
    for task in tasks {
        seen.push(task.await.map_err(|e| e.to_string())??);
    }
    Ok(seen)
}

fn main() {
    let connections = setting("--connections", 32).max(1);
    let plan = Plan {
        port: setting("--port", 0) as u16,
        requests: setting("--requests", 20_000).max(connections),
        documents: setting("--documents", 20_000).max(1),
    };
    let limit = Duration::from_secs(setting("--seconds", 120) as u64);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let plan: &'static Plan = Box::leak(Box::new(plan));
    let start = Instant::now();
    let done =
        runtime.block_on(async { tokio::time::timeout(limit, all_connections(plan, connections)).await });
    match done {
        Ok(Ok(seen)) => report(seen, start.elapsed().as_secs_f64()),
        Ok(Err(why)) => {
            eprintln!("web-load: {}", why);
            process::exit(1);
        }
        Err(_) => {
            eprintln!("web-load: not done after {:?}", limit);
            process::exit(1);
        }
    }
}
