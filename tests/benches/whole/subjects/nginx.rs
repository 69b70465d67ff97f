//! nginx's stream proxy, one worker, without a log.

use std::fs;
use std::process::Command;

use super::{Running, Subject};
use crate::system::program;

/// Where Debian's package has the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

pub const NGINX: Subject = Subject {
    name: "nginx",
    program: Some("nginx"),
    slow: false,
    start: |around| {
        Running::on_port(|port| {
            let folder = around.folder.display();
            let config = around.folder.join("nginx.conf");
            let (listen, tls) = match around.tls {
                None => ("", String::new()),
                Some(pki) => {
                    let (certificate, key) = (pki.certificate.display(), pki.key.display());
                    let tls = format!(
                        "ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols TLSv1.3;
    proxy_ssl on; proxy_ssl_protocols TLSv1.3; proxy_ssl_verify on; proxy_ssl_name localhost;
    proxy_ssl_trusted_certificate {certificate};"
                    );
                    (" ssl", tls)
                }
            };
            let text = format!(
                "load_module {MODULE};
daemon off; user root; worker_processes 1; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 8000; }}
stream {{
  server {{
    listen 127.0.0.1:{port}{listen}; proxy_pass {}; proxy_timeout 600s; tcp_nodelay on;
    {tls}
  }}
}}
",
                around.upstream
            );
            fs::write(&config, text).unwrap();
            let mut command = Command::new(program("nginx").unwrap());
            command.arg("-p").arg(around.folder).arg("-c").arg(&config);
            command
        })
    },
};
