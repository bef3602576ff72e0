package wsmanserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/cimxml"
)

// metadata serves class definitions in CIM-XML: Get gives one class, Enumerate
// the paths of the subclasses of one, or of none. See [MS-WSMV] 3.1.4.1.38,
// 3.1.4.2 and 3.1.4.8.
func (c *call) metadata(ctx context.Context, op operation) (wsman.Body, error) {
	switch op {
	case opPull:
		return c.pull(ctx)
	case opRelease:
		return c.releaseEnumeration()
	case opGet, opEnumerate:
	default:
		return nil, wsman.NewFault(wsman.CodeActionNotSupported, "")
	}
	namespace, class, ok := cimxml.ParseSelectors(c.msg.Selectors)
	if !ok {
		return nil, wsman.NewFault(wsman.CodeInsufficientSelectors, "the namespace must be selected by "+cimxml.SelectorNamespace)
	}
	c.resource.cim.Namespace = namespace
	if op == opEnumerate {
		return c.subclassPaths(ctx, namespace, class)
	}
	if class == "" {
		return nil, wsman.NewFault(wsman.CodeInsufficientSelectors, "the class must be selected by "+cimxml.SelectorClass)
	}
	release, err := c.server.ledger.Operation(userKey(c.caller.Token), c.resource.plugin)
	if err != nil {
		return nil, c.operationQuota(err)
	}
	c.release = append(c.release, release)
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	session, err := c.openSession(ctx)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	k, err := session.GetClass(ctx, class, cim.GetOptions{})
	if err != nil {
		return nil, err
	}
	return raw(cimxml.AppendClass(nil, k, cimxml.ParseGetOptions(c.msg.Options))), nil
}

// subclassPaths answers GetSubClassPaths, the one form of an enumeration of
// classes that there is: each item is the reference to a class.
func (c *call) subclassPaths(ctx context.Context, namespace, class string) (wsman.Body, error) {
	m, err := c.msg.ReadEnumerate()
	if err != nil {
		return nil, err
	}
	if m.Filter != nil {
		return nil, wsman.NewFault(wsman.CodeFilteringNotSupported, "")
	}
	bounded, cancel := c.bounded(ctx)
	defer cancel()
	session, err := c.openSession(bounded)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	list, err := session.EnumerateClasses(bounded, class, cimxml.ParseEnumerateOptions(c.msg.Options).IncludeSubClasses)
	if err != nil {
		return nil, err
	}
	items := make([][]byte, 0, len(list))
	for _, k := range list {
		items = append(items, cimxml.AppendPath(nil, namespace, k.Name))
	}
	return c.startList(ctx, m, items)
}
