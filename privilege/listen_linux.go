package privilege

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
)

func (h *helper) listen(l *listenRequest) ([]*os.File, error) {
	p, err := h.loadPolicy()
	if err != nil {
		return nil, err
	}
	if !p.permitsPort(l.Port) {
		return nil, refusef("port %d is not on the helper's list", l.Port)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), l.Network, net.JoinHostPort(l.Address, strconv.Itoa(int(l.Port))))
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		return nil, errors.New("not a TCP listener")
	}
	f, err := tcp.File()
	if err != nil {
		return nil, err
	}
	h.log.Info("privilege: listening", "address", ln.Addr().String())
	return []*os.File{f}, nil
}
