//! Pushes a build to two hosts and deletes there what it does not have:
//! `push public/assets deploy@web1:/srv/shop/assets deploy@web2:/srv/shop/assets`.

#![allow(clippy::print_stdout)] // An example may talk.

use std::error::Error;

use assetsync_sync::Push;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [source, web1, web2] = &*arguments else { return Err("usage: push SRC DEST DEST".into()) };
    let push = Push::new(source).to(web1)?.to(web2)?.delete(true);
    for pushed in push.run()? {
        println!("{}: {} files sent", pushed.destination, pushed.result?.files_sent);
    }
    Ok(())
}
