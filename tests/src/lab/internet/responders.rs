//! Servers for what a notebook should not reach: were the firewall to let a packet through, each of
//! these would answer it.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::everywhere_tcp;
use crate::lab::probe::{ECHO_PORT, GREETING_PORT};

type Answer = fn(&[u8]) -> Vec<u8>;

/// Starts them all.
pub(super) async fn start(servers: &mut JoinSet<()>, addresses: &[Ipv4Addr]) -> Result<()> {
    servers.spawn(greet(everywhere_tcp(22).await?, b"SSH-2.0-OpenSSH_9.2p1 lab\r\n"));
    servers.spawn(greet(everywhere_tcp(GREETING_PORT).await?, b"220 a server that speaks first\r\n"));
    servers.spawn(greet(everywhere_tcp(ECHO_PORT).await?, b""));
    servers.spawn(greet(everywhere_tcp(53).await?, b""));
    // One socket an address: an answer must come from where the question went.
    for address in addresses {
        for port in [53, 443, 853, ECHO_PORT] {
            let answer: Answer = if port == 53 { dns_answer } else { <[u8]>::to_vec };
            let socket = UdpSocket::bind((*address, port)).await;
            servers.spawn(reply(socket.with_context(|| format!("cannot serve UDP port {port}"))?, answer));
        }
    }
    Ok(())
}

/// Says `greeting` to whoever connects, then returns all that it hears.
async fn greet(listener: TcpListener, greeting: &'static [u8]) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(echo(stream, greeting));
        while connections.try_join_next().is_some() {}
    }
}

async fn echo(mut stream: TcpStream, greeting: &'static [u8]) {
    let mut heard = vec![0; 4096];
    let mut said = stream.write_all(greeting).await;
    while said.is_ok() {
        match stream.read(&mut heard).await {
            Ok(length) if length > 0 => said = stream.write_all(heard.get(..length).unwrap_or(&[])).await,
            _ => return,
        }
    }
}

async fn reply(socket: UdpSocket, answer: Answer) {
    let mut heard = vec![0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut heard).await {
        let _ = socket.send_to(&answer(heard.get(..length).unwrap_or(&[])), from).await;
    }
}

/// The question again, marked as an answer without records.
fn dns_answer(question: &[u8]) -> Vec<u8> {
    let mut answer = question.to_vec();
    if let Some(flags) = answer.get_mut(2) {
        *flags |= 0x80;
    }
    answer
}
