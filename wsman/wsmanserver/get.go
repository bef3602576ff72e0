package wsmanserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/soap"
)

// cimGet reads an instance, or a fragment of one. See [MS-WSMV] 3.1.4.2.
func (c *call) cimGet(ctx context.Context, session cim.Session, class *cim.Class) (wsman.Body, error) {
	path, err := c.path(class)
	if err != nil {
		return nil, err
	}
	var part fragmentPath
	if c.msg.Header.Fragment != nil {
		if part, err = parseFragment(c.msg.Header.Fragment, class); err != nil {
			return nil, err
		}
	}
	i, err := session.Get(ctx, path, cim.GetOptions{OperationOptions: cim.OperationOptions{Timeout: c.timeout()}})
	if err != nil {
		return nil, err
	}
	if c.msg.Header.Fragment != nil {
		return c.fragmentBody(i, part)
	}
	return c.instanceBody(i), nil
}

// instanceBody writes one instance.
func (c *call) instanceBody(i *cim.Instance) wsman.Body {
	return wsman.BodyFunc(func(w *soap.Writer) error {
		var err error
		w.Append(func(dst []byte) []byte {
			dst, err = c.encoders().For(i.Class()).AppendInstance(dst, i)
			return dst
		})
		return err
	})
}
