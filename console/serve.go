package console

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The limits of the listener. Who reads slowly, asks for much at once or only connects
// keeps nothing of the console for long, and one address not all of it.
const (
	mostConnections = 1024
	mostOfAddress   = 128
	mostOfOne       = 100 // requests of one connection at once
	answerTime      = 5 * time.Minute
)

// Serve answers on a listener with TLS 1.2 or later and HTTP/2, until ctx ends.
// Requests that are under way then have five seconds, streams end at once.
func (c *Console) Serve(ctx context.Context, l net.Listener, cert func(*tls.ClientHelloInfo) (*tls.Certificate, error)) error {
	s := &http.Server{
		Handler:           c,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert, NextProtos: []string{"h2", "http/1.1"}},
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       5 * time.Minute, // an import over a slow line
		WriteTimeout:      answerTime,      // streams have limits of their own
		IdleTimeout:       2 * time.Minute,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: mostOfOne, WriteByteTimeout: time.Minute},
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(c.log.Handler(), slog.LevelDebug),
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-ctx.Done()
		c.streams.endAll()
		quiet, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if s.Shutdown(quiet) != nil {
			_ = s.Close() //nolint:errcheck // it is over either way
		}
	}()
	err := s.ServeTLS(&boundedListener{Listener: l, all: mostConnections, each: mostOfAddress}, "", "")
	stop()
	<-ended
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
