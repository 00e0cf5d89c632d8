// Package webhook posts events to web servers. It has no goroutines of its own, and no memory.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/ipvsd/ipvsd/pkg/alert"
	"github.com/ipvsd/ipvsd/pkg/alert/outbox"
	"github.com/ipvsd/ipvsd/pkg/config"
)

// Signature is the header with the HMAC-SHA256 of the body: "sha256=" and hexadecimal digits.
const Signature = "X-Ipvsd-Signature"

// Send posts an event. Any status but 2xx is an error; one that the next attempt would end with too is a permanent one of package
// outbox. A redirect is not followed: what is told is for who is configured.
func Send(ctx context.Context, p alert.Post) error {
	ctx, cancel := context.WithTimeout(ctx, p.To.Timeout)
	defer cancel()
	address, err := address(p.To)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(p.Body))
	if err != nil {
		return outbox.Permanent(errors.New("the address is none")) // without it: it may have a secret in it
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "ipvsd")
	if p.To.SecretFile != "" {
		secret, err := firstLine(p.To.SecretFile)
		if err != nil {
			return fmt.Errorf("secret_file: %w", err)
		}
		request.Header.Set(Signature, Sign(secret, p.Body))
	}
	client, err := client(p.To.CA)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err // without the address, which may have a secret in it
	}
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	switch s := response.StatusCode; {
	case s >= 200 && s < 300:
		return nil
	case s == http.StatusRequestTimeout, s == http.StatusTooManyRequests, s >= 500:
		return fmt.Errorf("status %s", response.Status)
	default:
		return outbox.Permanent(fmt.Errorf("status %s", response.Status))
	}
}

// address returns where a webhook is. What is wrong with one in a file is told without it: the next attempt reads it again.
func address(to config.Webhook) (string, error) {
	if to.URLFile == "" {
		return to.URL, nil
	}
	line, err := firstLine(to.URLFile)
	if err != nil {
		return "", fmt.Errorf("url_file: %w", err)
	}
	u, err := url.Parse(string(line))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("url_file: the first line of %s is no address such as https://alerts.example.org/ipvsd", to.URLFile)
	}
	return string(line), nil
}

// firstLine returns that of a file, without its end.
func firstLine(name string) ([]byte, error) {
	text, err := outbox.ReadFile(name)
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), err
}

// Sign returns the value of the header Signature.
func Sign(secret, body []byte) string {
	m := hmac.New(sha256.New, secret)
	m.Write(body)
	return "sha256=" + hex.EncodeToString(m.Sum(nil))
}

// client returns one that trusts the certificates of a file, or the system's.
func client(ca string) (*http.Client, error) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := outbox.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("tls_ca: %w", err)
		}
		secure.RootCAs = x509.NewCertPool()
		if !secure.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls_ca: %s has no certificate", ca)
		}
	}
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: secure, Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
