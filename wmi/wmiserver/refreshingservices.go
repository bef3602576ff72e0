package wmiserver

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/internal/ndr"
	"github.com/casementhq/casement/security"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// refresherVersion is that of the server. See [MS-WMI] 3.1.4.12.1.
const refresherVersion uint32 = 1

// refreshingMethods is the table of IWbemRefreshingServices, which every namespace has beside IWbemServices. See [MS-WMI] 3.1.4.12.
var refreshingMethods = methods{
	iwbem.OpAddObjectToRefresher:           on("AddObjectToRefresher", 0, (*services).addObjectToRefresher),
	iwbem.OpAddObjectToRefresherByTemplate: on("AddObjectToRefresherByTemplate", 0, (*services).addObjectToRefresherByTemplate),
	iwbem.OpAddEnumToRefresher:             on("AddEnumToRefresher", 0, (*services).addEnumToRefresher),
	iwbem.OpRemoveObjectFromRefresher:      on("RemoveObjectFromRefresher", 0, (*services).removeObjectFromRefresher),
	iwbem.OpGetRemoteRefresher:             on("GetRemoteRefresher", 0, (*services).getRemoteRefresher),
	iwbem.OpReconnectRemoteRefresher:       on("ReconnectRemoteRefresher", 0, (*services).reconnectRemoteRefresher),
}

func (s *services) addObjectToRefresher(ctx context.Context, c *call, r *iwbem.AddObjectToRefresherRequest) ndr.Marshaler {
	return s.addToRefresher(ctx, c, r.Refresher, r.Flags, r.Context, func() (*refreshed, error) { return refreshedPath(r.Path) })
}

func (s *services) addObjectToRefresherByTemplate(ctx context.Context, c *call, r *iwbem.AddObjectToRefresherByTemplateRequest) ndr.Marshaler {
	return s.addToRefresher(ctx, c, r.Refresher, r.Flags, r.Context, func() (*refreshed, error) {
		template, err := c.decode(r.Template)
		if err != nil {
			return nil, err
		}
		if template == nil || template.IsClass() {
			return nil, refuse(cim.ErrInvalidParameter, "an instance must be given")
		}
		path, whole := template.Path()
		if !whole {
			return nil, refuse(cim.ErrInvalidParameter, "the instance has no path")
		}
		return &refreshed{path: path}, nil
	})
}

func (s *services) addEnumToRefresher(ctx context.Context, c *call, r *iwbem.AddEnumToRefresherRequest) ndr.Marshaler {
	return s.addToRefresher(ctx, c, r.Refresher, r.Flags, r.Context, func() (*refreshed, error) { return refreshedClass(r.Path) })
}

func refreshedPath(path string) (*refreshed, error) {
	if err := within(path, maxPath, "the path"); err != nil {
		return nil, err
	}
	p, err := cim.ParsePath(path)
	if err == nil && (p.Class == "" || p.IsClass()) {
		err = &cim.Error{Status: cim.ErrInvalidObjectPath, Path: path, Detail: "the path names no instance"}
	}
	return &refreshed{path: p}, err
}

func refreshedClass(class string) (*refreshed, error) {
	if class == "" {
		return nil, refuse(cim.ErrInvalidParameter, "the name of a class is missing")
	}
	return &refreshed{class: class}, within(class, maxIdentifier, "the name of the class")
}

// addToRefresher answers what adds something. Classes of high performance are refreshed here; of others the client gets a template and
// reads them himself. See [MS-WMI] 3.1.4.12.1.
func (s *services) addToRefresher(ctx context.Context, c *call, id iwbem.RefresherID, flags uint32, values iwbem.Context, what func() (*refreshed, error)) ndr.Marshaler {
	out := &iwbem.RefreshInfoResponse{Version: refresherVersion}
	err := func() error {
		leave, err := c.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		if err := c.accept(flags); err != nil {
			return err
		}
		item, err := what()
		if err != nil {
			return err
		}
		if item.values, err = c.values(values); err != nil {
			return err
		}
		template, err := s.template(ctx, c, item)
		if err != nil {
			return err
		}
		if out.Info.Template, err = c.encode(template); err != nil {
			return err
		}
		if !template.Class().Qualifiers.True("HiPerf") {
			out.Info.Type = iwbem.RefreshNonHiPerf
			out.Info.Namespace = iwbem.String{Text: s.connection.namespace}
			return nil
		}
		if item.blobs, err = s.server.codec.NewInstanceBlobs(template.Class()); err != nil {
			return err
		}
		out.Info.CancelID, out.Info.GUID, out.Info.Refresher, err = s.refresh(c, id, item)
		out.Info.Type = iwbem.RefreshRemote
		return err
	}()
	if err != nil {
		out.Info = iwbem.RefreshInfo{Type: iwbem.RefreshInvalid}
	}
	out.Result = result(err)
	return c.answer(out, err)
}

// template is an instance with the defaults of the class of an item, which must be there.
func (s *services) template(ctx context.Context, c *call, item *refreshed) (*cim.Instance, error) {
	session := s.connection.session.With(c.caller)
	if item.class == "" {
		i, err := session.Get(ctx, item.path, cim.GetOptions{OperationOptions: cim.OperationOptions{Context: item.values}})
		if err != nil {
			return nil, err
		}
		return cim.NewInstance(i.Class()), nil
	}
	class, err := session.GetClass(ctx, item.class, cim.GetOptions{})
	if cim.StatusOf(err) == cim.ErrNotFound {
		err = &cim.Error{Status: cim.ErrInvalidClass, Path: item.class}
	}
	if err != nil {
		return nil, err
	}
	return cim.NewInstance(class), nil
}

// refresh puts an item into the client's refresher and gives a reference to that.
func (s *services) refresh(c *call, id iwbem.RefresherID, item *refreshed) (uint32, security.GUID, *dcom.ObjRef, error) {
	one := s.server.refreshers.use(c.owner, id)
	item.connection = s.connection.retain()
	number, err := s.server.refreshers.add(one, item)
	if err != nil {
		item.connection.release()
		s.server.refreshers.leave(one)
		return 0, security.GUID{}, nil, err
	}
	ref, err := s.server.refer(c, one)
	return number, one.guid, ref, err
}

// removeObjectFromRefresher is not there on Windows either. See [MS-WMI] 3.1.4.12.4.
func (s *services) removeObjectFromRefresher(context.Context, *call, *iwbem.RemoveObjectFromRefresherRequest) ndr.Marshaler {
	return &iwbem.RemoveObjectFromRefresherResponse{Version: refresherVersion, Result: uint32(cim.ErrNotAvailable)}
}

func (s *services) getRemoteRefresher(ctx context.Context, c *call, r *iwbem.GetRemoteRefresherRequest) ndr.Marshaler {
	out := &iwbem.GetRemoteRefresherResponse{Version: refresherVersion}
	err := func() error {
		leave, err := c.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		if err := admitted(ctx, s.connection.session, c.caller); err != nil {
			return err
		}
		one := s.server.refreshers.use(c.owner, r.Refresher)
		out.GUID = one.guid
		out.Refresher, err = s.server.refer(c, one)
		return err
	}()
	out.Result = result(err)
	return c.answer(out, err)
}

// reconnectRemoteRefresher puts back what a client had in a refresher that is gone. See [MS-WMI] 3.1.4.12.6.
func (s *services) reconnectRemoteRefresher(ctx context.Context, c *call, r *iwbem.ReconnectRemoteRefresherRequest) ndr.Marshaler {
	out := &iwbem.ReconnectRemoteRefresherResponse{Version: refresherVersion, Results: r.Results}
	err := func() error {
		leave, err := c.enter(ctx)
		if err != nil {
			return err
		}
		defer leave()
		s.server.refreshers.mu.Lock()
		known := s.server.refreshers.known[refresherKey{c.owner, r.Refresher.GUID}] != nil
		s.server.refreshers.mu.Unlock()
		if !known {
			return refuse(cim.ErrNotFound, "there is no refresher of that name: GetRemoteRefresher makes it")
		}
		one := s.server.refreshers.use(c.owner, r.Refresher)
		defer s.server.refreshers.leave(one)
		for n, info := range r.Infos {
			id, err := s.reconnect(ctx, c, one, info)
			out.Results[n] = iwbem.ReconnectResult{ID: id, Status: result(err)}
		}
		return nil
	}()
	out.Result = result(err)
	return c.answer(out, err)
}

func (s *services) reconnect(ctx context.Context, c *call, one *refresher, info iwbem.ReconnectInfo) (id uint32, err error) {
	var item *refreshed
	switch info.Type {
	case 0:
		item, err = refreshedPath(info.Path.Text)
	case 1:
		item, err = refreshedClass(info.Path.Text)
	default:
		err = refuse(cim.ErrInvalidParameter, "neither an object nor an enumeration")
	}
	if err != nil {
		return 0, err
	}
	template, err := s.template(ctx, c, item)
	if err != nil {
		return 0, err
	}
	if item.blobs, err = s.server.codec.NewInstanceBlobs(template.Class()); err != nil {
		return 0, err
	}
	item.connection = s.connection.retain()
	if id, err = s.server.refreshers.add(one, item); err != nil {
		item.connection.release()
	}
	return id, err
}
