//! Logs in over TLS, and verifies who it was.

use std::error::Error;

use idaas_login::{Client, Device, IdTokenVerifier, Outcome};

fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::builder("https://acme.example.com", "nTo1eRIub60vPb54WeE6aojPwYwImtl4").build()?;
    let device = Device::new("ios13.3", "156aysdna213sc50", "Mozilla/5.0 (iPhone)")?;
    let code = std::env::args().nth(1).ok_or("give the code of wx.login")?;
    if let Outcome::Authenticated(user) = client.login(device).wechat_mini_program(code).send()? {
        let id_token = user.id_token().ok_or("no id token")?;
        println!("{:?}", IdTokenVerifier::new(&client)?.verify(id_token)?.subject());
    }
    Ok(())
}
