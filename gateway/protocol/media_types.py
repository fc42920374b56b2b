"""The table of content types by file name extension.

The gateway has its own table, so that every installation answers the same: the deployed gateways
use that of the operating system, and so call a `.webm` audio on one machine and video on another.
Text has `charset=utf-8`, as in Go's `mime` package; HTML has no charset, as path-gateway.md
demands: browsers take it from the page.
"""

from types import MappingProxyType
from typing import Final

_TABLE: Final = """
text/html               html htm
text/css                css
text/javascript         js mjs cjs
text/plain              txt text log ini conf cfg bat
text/markdown           md markdown
text/csv                csv
text/tab-separated-values tsv
text/calendar           ics
text/vcard              vcf
text/vtt                vtt
text/xml                xml xsl
text/turtle             ttl
text/x-python           py
text/x-csrc             c
text/x-chdr             h
text/x-c++src           cpp cc cxx
text/x-go               go
text/x-java             java
text/x-tex              tex
text/x-patch            diff patch
text/rust               rs
application/json        json map
application/cbor        cbor
application/ld+json     jsonld
application/geo+json    geojson
application/manifest+json webmanifest
application/xhtml+xml   xhtml
application/rss+xml     rss
application/atom+xml    atom
application/rdf+xml     rdf
application/xml-dtd     dtd
application/gpx+xml     gpx
application/dash+xml    mpd
application/vnd.google-earth.kml+xml kml
application/vnd.google-earth.kmz kmz
application/x-yaml      yaml yml
application/toml        toml
application/sql         sql
application/x-sh        sh
application/wasm        wasm
application/pdf         pdf
application/rtf         rtf
application/postscript  ps eps
application/epub+zip    epub
application/msword      doc
application/vnd.ms-excel xls
application/vnd.ms-powerpoint ppt
application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
application/vnd.oasis.opendocument.text odt
application/vnd.oasis.opendocument.spreadsheet ods
application/vnd.oasis.opendocument.presentation odp
application/zip         zip
application/gzip        gz tgz
application/x-bzip2     bz2
application/x-xz        xz txz
application/zstd        zst
application/x-7z-compressed 7z
application/vnd.rar     rar
application/x-tar       tar
application/java-archive jar
application/vnd.android.package-archive apk
application/vnd.debian.binary-package deb
application/x-rpm       rpm
application/x-iso9660-image iso
application/x-apple-diskimage dmg
application/x-bittorrent torrent
application/vnd.sqlite3 sqlite sqlite3
application/vnd.apache.parquet parquet
application/vnd.ipld.car car
application/vnd.ms-fontobject eot
application/octet-stream bin exe dll so img
application/mbox        mbox
message/rfc822          eml
font/woff               woff
font/woff2              woff2
font/ttf                ttf
font/otf                otf
image/png               png
image/apng              apng
image/jpeg              jpg jpeg jpe jfif
image/gif               gif
image/webp              webp
image/avif              avif
image/heif              heif
image/heic              heic
image/jxl               jxl
image/svg+xml           svg
image/bmp               bmp
image/tiff              tif tiff
image/vnd.microsoft.icon ico
image/vnd.adobe.photoshop psd
video/mp4               mp4 m4v
video/webm              webm
video/ogg               ogv
video/quicktime         mov qt
video/x-matroska        mkv
video/x-msvideo         avi
video/mpeg              mpg mpeg
video/mp2t              m2ts mts
video/3gpp              3gp
video/x-flv             flv
video/x-ms-wmv          wmv
audio/mpeg              mp3
audio/mp4               m4a
audio/ogg               ogg oga opus
audio/webm              weba
audio/aac               aac
audio/flac              flac
audio/wav               wav
audio/midi              mid midi
audio/aiff              aif aiff
audio/x-mpegurl         m3u
application/vnd.apple.mpegurl m3u8
application/x-subrip    srt
model/gltf-binary       glb
model/gltf+json         gltf
model/obj               obj
model/stl               stl
"""


def _read_table() -> dict[str, bytes]:
    types: dict[str, bytes] = {}
    for line in _TABLE.split("\n"):
        name, *extensions = line.split() or [""]
        has_charset = name.startswith("text/") and name != "text/html"
        value = f"{name}; charset=utf-8" if has_charset else name
        types.update(dict.fromkeys(extensions, value.encode("ascii")))
    return types


TYPES: Final = MappingProxyType(_read_table())
"""Value of Content-Type by lower-case extension without its dot."""
