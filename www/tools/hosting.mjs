// How common static hosts are told to send the page's headers, as files that ship beside the page.
import { CACHING, ISOLATION, PRIVACY } from "./policy.mjs";

const HEADERS = Object.entries({ ...PRIVACY, ...ISOLATION, ...CACHING });

/** @param {(header: string, value: string) => string} line */
function each(line) {
  return HEADERS.map(([header, value]) => line(header, value)).join("\n");
}

const README = `# Hosting this page

<!-- ANCHOR: body -->
Any host of static files will do: upload this folder as it is, over https. Nothing runs on the server.

The page asks for a few headers. They forbid it, and every worker of it, to reach any other place than its host, and
let it share memory between threads. **A host that sends none still gets both**: the page's service worker adds them to all
that it serves, from the second load on. With the headers they hold from the first load on, and for the service worker
itself.

| host | what to do |
|---|---|
| Netlify, Cloudflare Pages | nothing: they read \`_headers\` beside \`index.html\` |
| Vercel | nothing: it reads \`vercel.json\` beside \`index.html\`, if this folder is what you deploy |
| nginx | take the lines of \`hosting/nginx.conf\` into the server's configuration |
| Apache | copy \`hosting/apache.htaccess\` to \`.htaccess\` beside \`index.html\`; needs \`mod_headers\` |
| Caddy | start from \`hosting/Caddyfile\` |
| a container | in this folder: \`podman build -t sdic -f hosting/Containerfile .\`, or the same with \`docker\` |
| GitHub Pages | it sends no headers of yours; the service worker adds them. Keep \`.nojekyll\`: files are served as they are |

Compression by the host is welcome. What changes files is not: HTML "minifiers", injected scripts and the like. The
service worker compares every file with its SHA-256 and keeps nothing that differs, so that such a page works but never
offline.

Files keep their names from version to version. Upload them in any order: a version that is only half there is never
kept, and visitors go on with the one they have. The page may live at the root or in any folder, and several copies on
one origin keep apart.
<!-- ANCHOR_END: body -->
`;

/**
 * The files, by their paths below the page's folder.
 * @type {Record<string, string>}
 */
export const HOSTING = {
  _headers: `/*\n${each((header, value) => `  ${header}: ${value}`)}\n`,

  "vercel.json": `${JSON.stringify(
    { headers: [{ source: "/(.*)", headers: HEADERS.map(([key, value]) => ({ key, value })) }] },
    undefined,
    2,
  )}\n`,

  // GitHub Pages would else leave out names that begin with an underscore.
  ".nojekyll": "",

  "hosting/README.md": README,

  "hosting/nginx.conf": `# Inside "http": a server for this page. Add TLS as for any site of yours.
server {
  listen 8080;
  root /srv/sdic; # this folder
  index index.html;

  types {
    text/html html;
    text/javascript js;
    text/css css;
    application/json json;
    application/manifest+json webmanifest;
    application/wasm wasm;
    image/svg+xml svg;
    image/png png;
    image/webp webp;
    text/plain txt md;
  }
  default_type application/octet-stream;
  charset utf-8;

  gzip on;
  gzip_types text/javascript text/css application/json application/manifest+json application/wasm image/svg+xml;

${each((header, value) => `  add_header ${header} "${value}" always;`)}
}
`,

  "hosting/apache.htaccess": `# Beside index.html, as .htaccess; the server must allow it: AllowOverride FileInfo.
AddType text/javascript .js
AddType application/wasm .wasm
AddType application/manifest+json .webmanifest
AddType application/octet-stream .safetensors

<IfModule mod_headers.c>
${each((header, value) => `  Header always set ${header} "${value}"`)}
</IfModule>
`,

  "hosting/Containerfile": `# In the page's folder: podman build -t sdic -f hosting/Containerfile .
#                       podman run --read-only --tmpfs /tmp -p 8080:8080 sdic
# Speaks plain http at port 8080, as a user without rights; put what speaks https in front of it.
FROM docker.io/nginxinc/nginx-unprivileged:stable-alpine
COPY hosting/nginx.conf /etc/nginx/conf.d/default.conf
COPY . /srv/sdic
EXPOSE 8080
`,

  "hosting/Caddyfile": `:8080 {
	root * /srv/sdic # this folder
	encode zstd gzip
	header {
${each((header, value) => `		${header} "${value}"`)}
	}
	file_server
}
`,
};
