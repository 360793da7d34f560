//! A server that speaks S3 on loopback, over a temporary folder.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use std::path::Path;

pub const KEY: &str = "qsnap-test";
pub const SECRET: &str = "qsnap-test-secret";
pub const BUCKET: &str = "backups";

/// The server; it stops when it is dropped.
pub struct S3Server {
    pub folder: tempfile::TempDir,
    pub url: String,
    runtime: Option<tokio::runtime::Runtime>,
}

impl S3Server {
    /// Starts it with one bucket, on threads of its own: tests that block must not stop it.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = {
            let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
            builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
            builder.build()
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { folder, url, runtime: Some(runtime) }
    }

    /// The bucket's folder.
    pub fn bucket(&self) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(BUCKET)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // A test that is asynchronous itself must not wait for the server's threads.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
