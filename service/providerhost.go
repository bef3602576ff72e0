package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/decoupled"
	"github.com/casementhq/casement/providers/host"
)

// HostCommand is the hidden subcommand that runs a provider host; its arguments
// are the name of the provider and this machine's name in paths.
const HostCommand = "provider-host"

// ServeProviderHost is the main part of a provider host: it serves the provider
// with that name over a stream, with the rights of this process, until the
// stream or ctx ends. It reads no state and opens no connection.
func ServeProviderHost(ctx context.Context, provider, server string, stream io.ReadWriteCloser, log *slog.Logger) error {
	var served cimom.Provider
	switch provider {
	case host.FilesProviderName:
		served = host.NewFiles(host.Options{
			Server: server, Log: log, Files: func(cim.Caller) (host.FileActor, error) { return host.OwnFiles{}, nil },
		})
	case userFilesName:
		h := &userFileHost{}
		defer h.Close()
		served = h
	default:
		return fmt.Errorf("no provider with the name %q runs in a host", provider)
	}
	err := decoupled.ServeStream(ctx, stream, decoupled.ServeOptions{Name: provider, Namespace: host.Namespace, Provider: served})
	if errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) { // the service has no further use for it
		return nil
	}
	return err
}
