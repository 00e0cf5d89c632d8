package probe_test

import (
	"strings"
	"testing"

	"github.com/ipvsd/ipvsd/pkg/health"
)

// behaviour is a way to answer, and what our check makes of it. The kernel test asks keepalived, too.
type behaviour struct {
	name, answer string
	http         health.HTTP
	want         string // "": passes
	// why keepalived comes to another verdict; empty: it doesn't
	keepalived string
}

const (
	ok      = "HTTP/1.0 200 OK\r\n"
	ok11    = "HTTP/1.1 200 OK\r\n"
	chunks  = "Transfer-Encoding: chunked\r\n\r\n3\r\ncon\r\n4;x=y\r\ntent\r\n0\r\n\r\n"
	waits   = "it waits for the end of the connection"
	first   = "it takes the first status for the answer"
	unclean = "it takes any text with the code in the second word"
	raw     = "it takes the chunks as they come"
	ignores = "it ignores it"
	noEnd   = "$ matches nowhere"
)

var behaviours = []behaviour{
	{name: "200", answer: ok + "\r\nhello", http: page()},
	{name: "204", answer: "HTTP/1.1 204 No Content\r\n\r\n", http: page()},
	{name: "299", answer: "HTTP/1.0 299 X\r\n\r\n", http: page()},
	{name: "300", answer: "HTTP/1.0 300 X\r\n\r\n", http: page(), want: "/: 300 Multiple Choices; want 200-299"},
	{name: "302", answer: "HTTP/1.0 302 X\r\nLocation: /x\r\n\r\n", http: page(), want: "/: 302 Found; want 200-299"},
	{name: "a redirect is an answer", answer: "HTTP/1.0 302 X\r\nLocation: /x\r\n\r\n", http: page(status(302, 302))},
	{name: "404", answer: "HTTP/1.0 404 Not Found\r\n\r\n", http: page(), want: "/: 404 Not Found; want 200-299"},
	{name: "503", answer: "HTTP/1.0 503 X\r\n\r\n", http: page(), want: "/: 503 Service Unavailable; want 200-299"},
	{name: "503 is wanted", answer: "HTTP/1.0 503 X\r\n\r\n", http: page(status(500, 599))},
	{name: "503, and stalls", answer: "HTTP/1.1 503 X\r\nContent-Length: 500\r\n\r\nhello...", http: page(), want: "/: 503 Service Unavailable; want 200-299"},
	{name: "100 first", answer: "HTTP/1.1 100 Continue\r\n\r\n" + ok11 + "Content-Length: 5\r\n\r\nhello", http: page(), keepalived: first},
	{name: "100 first, then 503", answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 X\r\n\r\n", http: page(), want: "/: 503 Service Unavailable; want 200-299"},
	{name: "103 first", answer: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok11 + "\r\nhello", http: page(), keepalived: first},
	{name: "nothing but 100", answer: strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 9), http: page(), want: "/: more than 8 answers before the answer"},
	{name: "no reason", answer: "HTTP/1.0 200 \r\n\r\nhello", http: page()},
	{name: "no reason, no space", answer: "HTTP/1.0 200\r\n\r\nhello", http: page(), keepalived: "it wants the space"},
	{name: "lines end in LF", answer: "HTTP/1.0 200 OK\nContent-Length: 5\n\nhello", http: page(), keepalived: "it knows only CR LF"},
	{name: "HTTP/2.0", answer: "HTTP/2.0 200 OK\r\n\r\nx", http: page()},
	{name: "in lower case", answer: "http/1.1 200 OK\r\n\r\n", http: page(), want: `/: "http/1.1 200 OK" is not the beginning of an answer in HTTP`,
		keepalived: unclean},
	{name: "another protocol", answer: "ICY 200 OK\r\n\r\nx", http: page(), want: `/: "ICY 200 OK" is not the beginning of an answer in HTTP`,
		keepalived: unclean},
	{name: "no protocol", answer: "<html>hello</html>", http: page(), want: `/: "<html>hello</html>" is not the beginning of an answer in HTTP`},
	{name: "four digits", answer: "HTTP/1.1 2000 OK\r\n\r\n", http: page(), want: `/: "HTTP/1.1 2000 OK" is not the beginning of an answer in HTTP`},
	{name: "two spaces", answer: "HTTP/1.1  200 OK\r\n\r\n", http: page(), want: `/: "HTTP/1.1  200 OK" is not the beginning of an answer in HTTP`},
	{name: "an empty line first", answer: "\r\n" + ok11 + "\r\n", http: page(), want: `/: "" is not the beginning of an answer in HTTP`},
	{name: "nothing", answer: "", http: page(), want: "/: the server closed the connection"},
	{name: "half a status line", answer: "HTTP/1.1 2", http: page(), want: "/: the server closed the connection"},
	{name: "no end of the headers", answer: ok + "Content-", http: page(), want: "/: the server closed the connection"},
	{name: "no header", answer: ok + "this is no header\r\n\r\nhello", http: page()},
	{name: "a long header", answer: ok + "X: " + strings.Repeat("x", 5000) + "\r\n\r\nhello", http: page(), keepalived: "it has room for 4096 bytes"},
	{name: "64 KB of header", answer: ok + "X: " + strings.Repeat("x", 64<<10) + "\r\n\r\nhello", http: page(), want: "/: headers of more than 65536 bytes"},

	{name: "digest", answer: ok + "Content-Length: 7\r\n\r\ncontent", http: page(digest(md5OfContent))},
	{name: "digest without a length", answer: ok + "\r\ncontent", http: page(digest(md5OfContent))},
	{name: "digest of another", answer: ok + "\r\nother", http: page(digest(md5OfContent)),
		want: "/: the body's MD5 is 795f3202b17cb6bc3d4b771d8c6c9eaf; want " + md5OfContent},
	{name: "digest ends with the length", answer: ok + "Content-Length: 7\r\n\r\ncontentMORE", http: page(digest(md5OfContent))},
	{name: "the header in lower case", answer: ok + "content-length: 7\r\n\r\ncontentMORE", http: page(digest(md5OfContent)),
		keepalived: "it doesn't know it in this case"},
	{name: "digest of nothing", answer: ok + "\r\n", http: page(digest(md5OfNothing))},
	{name: "digest of length 0", answer: ok + "Content-Length: 0\r\n\r\ncontent", http: page(digest(md5OfNothing))},
	{name: "digest of a 404", answer: "HTTP/1.1 404 X\r\n\r\ncontent", http: page(digest(md5OfContent), status(404, 404))},
	{name: "digest of chunks", answer: ok11 + chunks, http: page(digest(md5OfContent)), keepalived: raw},
	{name: "regex over chunks", answer: ok11 + chunks, http: page(regex("content")), keepalived: raw},
	{name: "chunks", answer: ok11 + chunks, http: page()},
	{name: "digest and regex", answer: ok + "\r\ncontent", http: page(digest(md5OfContent), regex("cont"))},
	{name: "the digest but not the regex", answer: ok + "\r\ncontent", http: page(digest(md5OfContent), regex("hello")),
		want: `/: "content" does not match the regex "hello"`},
	{name: "another coding", answer: ok11 + "Transfer-Encoding: gzip\r\n\r\nhello", http: page()},
	{name: "shorter than told", answer: ok + "Content-Length: 100\r\n\r\nhello", http: page(), want: "/: the answer ends after 5 of 100 bytes",
		keepalived: ignores},
	{name: "a chunk is missing", answer: ok11 + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", http: page(),
		want: "/: the answer ends after 5 bytes, before its last chunk", keepalived: ignores},
	{name: "chunks that are none", answer: ok11 + "Transfer-Encoding: chunked\r\n\r\nhello\r\n", http: page(),
		want: "/: invalid byte in chunk length", keepalived: ignores},
	{name: "a negative length", answer: ok + "Content-Length: -5\r\n\r\nhello", http: page(), want: `/: Content-Length: "-5" is not a length`,
		keepalived: ignores},
	{name: "two lengths", answer: ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", http: page(), want: "/: Content-Length: both 5 and 6",
		keepalived: ignores},
	{name: "stays open", answer: ok11 + "Content-Length: 5\r\n\r\nhello...", http: page(), keepalived: waits},
	{name: "stays open after chunks", answer: ok11 + chunks + "...", http: page(), keepalived: waits},
	{name: "204 stays open", answer: "HTTP/1.1 204 No Content\r\n\r\n...", http: page(), keepalived: waits},
	{name: "reset before the end", answer: ok + "\r\nhello!", http: page(), want: "/: connection reset by peer"},
	{name: "reset after the end", answer: ok + "Content-Length: 5\r\n\r\nhello!", http: page(), keepalived: waits},

	{name: "regex", answer: ok + "\r\nall is well\n", http: page(regex("is w"))},
	{name: "regex misses", answer: ok + "\r\nall is well\n", http: page(regex("is bad")), want: `/: "all is well " does not match the regex "is bad"`},
	{name: "regex of nothing", answer: ok + "\r\n", http: page(regex("x")), want: `/: "" does not match the regex "x"`},
	{name: "no match", answer: ok + "\r\nall is well\n", http: page(noRegex("is bad"))},
	{name: "no match matches", answer: ok + "\r\nall is bad\n", http: page(noRegex("is bad")), want: `/: "all is bad " matches the regex "is bad"`},
	{name: "$", answer: ok + "\r\nOK\n", http: page(regex("OK$")), keepalived: noEnd},
	{name: "^", answer: ok + "\r\nOK\n", http: page(regex("^OK")), keepalived: "the headers are before it"},
	{name: "in the headers", answer: ok + "X-State: fine\r\n\r\nOK\n", http: page(regex("fine")), want: `/: "OK " does not match the regex "fine"`,
		keepalived: "it searches the headers, too"},
	{name: "max offset", answer: ok + "\r\n....OK\n", http: page(func(u *health.URL) { u.Regex = health.Regex{Pattern: "OK", MaxOffset: 4} }),
		keepalived: "the headers count"},
	{name: "below max offset", answer: ok + "\r\n....OK\n", http: page(func(u *health.URL) { u.Regex = health.Regex{Pattern: "OK", MaxOffset: 3} }),
		want: `/: "....OK " does not match the regex "OK"`},
	{name: "min offset", answer: ok + "\r\n....OK\n", http: page(func(u *health.URL) { u.Regex = health.Regex{Pattern: "OK", MinOffset: 4} })},
	{name: "above min offset", answer: ok + "\r\n....OK\n", http: page(func(u *health.URL) { u.Regex = health.Regex{Pattern: "OK", MinOffset: 5} }),
		want: `/: "....OK " does not match the regex "OK"`, keepalived: "the headers count"},
	{name: "an option", answer: ok + "\r\nOK\n",
		http: page(func(u *health.URL) { u.Regex = health.Regex{Pattern: "ok", Options: health.ListOf("caseless")} })},
}

func TestHTTPBehaviours(t *testing.T) {
	for _, b := range behaviours {
		t.Run(b.name, func(t *testing.T) {
			at, end := server(t, respond(b.answer))
			defer end()
			if _, got := get(t, at, b.http); got != b.want {
				t.Errorf("%q\nwant %q", got, b.want)
			}
		})
	}
}
