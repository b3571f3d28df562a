//! What bundlers and frameworks write: which files there are, and what they name.
//!
//! In a name, `<8>`, `<10>`, `<12>`, `<16>`, `<20>`, `<32>` and `<64>` stand for a digest of so
//! many hexadecimal digits, `<base64>` and `<BASE32>` for eight of those characters.

/// The files of a build that name others, each with what it names. What is named and has no line
/// of its own is there, too.
pub struct Layout {
    /// The tool.
    pub tool: &'static str,
    /// The files.
    pub files: &'static [(&'static str, &'static [&'static str])],
}

const fn of(
    tool: &'static str,
    files: &'static [(&'static str, &'static [&'static str])],
) -> Layout {
    Layout { tool, files }
}

/// All.
pub const LAYOUTS: &[Layout] = &[
    of(
        "sprockets",
        &[
            (
                "assets/.sprockets-manifest-<32>.json",
                &["assets/app-<64>.js", "assets/app-<64>.css"],
            ),
            ("assets/app-<64>.css", &[]),
            ("404.html", &["assets/app-<64>.css", "favicon.ico"]),
        ],
    ),
    of("sprockets-2", &[("assets/manifest-<32>.json", &["assets/z-<32>.js"])]),
    of(
        "propshaft",
        &[("assets/.manifest.json", &["assets/app-<8>.js", "assets/x-<8>.digested.js"])],
    ),
    of(
        "shakapacker",
        &[("packs/manifest.json", &["packs/js/runtime-<20>.js", "packs/static/z-<20>.svg"])],
    ),
    of(
        "vite",
        &[
            (".vite/manifest.json", &["assets/index-<base64>.js", "assets/z-<base64>.css"]),
            ("index.html", &["assets/index-<base64>.js", "vite.svg"]),
        ],
    ),
    of("vite-ruby", &[("vite/.vite/manifest-assets.json", &["vite/assets/logo-<base64>.svg"])]),
    of("esbuild", &[("admin.js", &["chunk-<BASE32>.js"]), ("meta.json", &["admin.js", "z.css"])]),
    of(
        "importmap",
        &[("importmap.json", &["js/app-<8>.js", "js/z.js"]), ("about.html", &["js/app-<8>.js"])],
    ),
    of(
        "laravel-mix",
        &[("index.php", &["js/vendor.js"]), ("mix-manifest.json", &["js/app.js", "zero/app.css"])],
    ),
    of("symfony-encore", &[("build/entrypoints.json", &["build/runtime.<8>.js", "build/z.js"])]),
    of("wordpress-scripts", &[("build/index.asset.php", &["build/index.js", "build/view.js"])]),
    of("django", &[("staticfiles.json", &["admin/css/base.<12>.css", "zoo/a.<12>.js"])]),
    of("phoenix", &[("cache_manifest.json", &["assets/app-<32>.js", "images/logo-<32>.svg"])]),
    of(
        "angular",
        &[
            ("index.html", &["main-<BASE32>.js", "styles-<BASE32>.css"]),
            ("ngsw.json", &["index.html", "main-<BASE32>.js", "zone.html"]),
            ("ngsw-worker.js", &["zone.html"]),
        ],
    ),
    of(
        "create-react-app",
        &[
            ("asset-manifest.json", &["static/js/main.<8>.js", "static/media/z.<20>.svg"]),
            ("index.html", &["static/js/main.<8>.js", "logo192.png"]),
            ("service-worker.js", &["index.html", "static/js/main.<8>.js", "welcome.html"]),
        ],
    ),
    of(
        "next-export",
        &[
            (
                "index.html",
                &["_next/static/<base64>/_buildManifest.js", "_next/static/c/main-<16>.js"],
            ),
            ("index.txt", &["_next/static/c/main-<16>.js"]),
            ("_next/static/<base64>/_buildManifest.js", &["_next/static/c/page-<16>.js"]),
        ],
    ),
    of(
        "nuxt-generate",
        &[
            ("200.html", &["_nuxt/<base64>.js", "_nuxt/entry.<base64>.css"]),
            ("_nuxt/builds/latest.json", &["_nuxt/builds/meta/<8>-0a1b-4c2d-8e3f-<12>.json"]),
        ],
    ),
    of(
        "sveltekit-static",
        &[
            ("_app/version.json", &["_app/immutable/entry/start.<base64>.js"]),
            ("index.html", &["_app/immutable/entry/start.<base64>.js", "robots.png"]),
            ("service-worker.js", &["index.html", "zebra.html"]),
        ],
    ),
    of("astro", &[("about/index.html", &["_astro/about.<base64>.css", "favicon.svg"])]),
    of(
        "gatsby",
        &[
            ("index.html", &["app-<20>.js", "webpack-runtime-<20>.js"]),
            ("chunk-map.json", &["component-<20>.js"]),
            ("page-data/app-data.json", &["webpack-runtime-<20>.js"]),
        ],
    ),
    of("hugo", &[("blog/index.html", &["css/main.<64>.css"]), ("404.html", &["zoom.css"])]),
    of("jekyll", &[("404.html", &["assets/main.css"]), ("feed.xml", &["images/z.png"])]),
    of("parcel", &[("index.html", &["index.<8>.js", "logo.<8>.svg", "site.js"])]),
    of("rollup", &[("main.js", &["shared-<base64>.js"]), ("index.html", &["main.js", "z.css"])]),
    of(
        "module-federation",
        &[
            ("remoteEntry.js", &["src_App_js.js", "vendors.<20>.js"]),
            ("mf-manifest.json", &["src_App_js.js"]),
        ],
    ),
    of(
        "workbox",
        &[
            ("index.html", &["registerSW.js", "app-<base64>.js"]),
            ("sw.js", &["workbox-<8>.js", "index.html", "manifest.webmanifest", "tour.html"]),
        ],
    ),
    of(
        "blazor",
        &[
            ("_framework/blazor.boot.json", &["_framework/dotnet.wasm", "_framework/z.dll.png"]),
            ("service-worker-assets.js", &["index.html", "zeta.html"]),
        ],
    ),
    of(
        "flutter",
        &[
            ("index.html", &["main.dart.js"]),
            ("flutter_service_worker.js", &["index.html", "version.json"]),
        ],
    ),
    of("trunk", &[("index.html", &["site-<16>_bg.wasm", "site-<16>.js"])]),
    of("tool-of-tomorrow", &[("assets.lock", &["js/app-<8>.js", "z.css"])]),
];
