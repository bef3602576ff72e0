package wsmanserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
)

// cimCreate makes an instance and answers with its endpoint reference. See
// [MS-WSMV] 3.1.4.5.
func (c *call) cimCreate(ctx context.Context, session cim.Session, class *cim.Class) (wsman.Body, error) {
	i, _, err := c.readInstance(class)
	if err != nil {
		return nil, err
	}
	path, err := session.Create(ctx, i, cim.OperationOptions{Timeout: c.timeout()})
	if err != nil {
		return nil, err
	}
	c.effect = true
	epr := wsman.EPR{Address: wsman.Anonymous, ResourceURI: c.msg.ResourceURI}
	if c.resource.cim.DMTF {
		epr.Selectors = append(epr.Selectors, wsman.Selector{Name: wsman.SelectorNamespace, Value: slashes(c.resource.cim.Namespace)})
	}
	for _, k := range path.Keys {
		epr.Selectors = append(epr.Selectors, wsman.Selector{Name: k.Name, Value: string(k.Value.AppendText(nil))})
	}
	return &wsman.ResourceCreated{EPR: epr}, nil
}
