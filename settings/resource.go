package settings

import "strings"

// URIConfig is the base resource of the configuration. The other resources are this
// and a path, for example /service/auth. See [MS-WSMV] 2.2.1.
const URIConfig = "http://schemas.microsoft.com/wbem/wsman/1/config"

// Resource URIs of the tables, which are not part of winrm/config.
const (
	URIListener    = URIConfig + "/listener"
	URICertMapping = URIConfig + "/service/certmapping"
	URIPlugin      = URIConfig + "/plugin"
	URISecurity    = URIConfig + "/service/security"
)

// elements maps the path of a resource below URIConfig to its element path.
var elements = map[string]string{
	"":                     "",
	"client":               "Client",
	"client/auth":          "Client/Auth",
	"client/defaultports":  "Client/DefaultPorts",
	"service":              "Service",
	"service/auth":         "Service/Auth",
	"service/defaultports": "Service/DefaultPorts",
	"winrs":                "Winrs",
}

// element returns the element path of a resource URI, which compares without case.
func element(uri string) (string, error) {
	low := strings.ToLower(strings.TrimSuffix(uri, "/"))
	path, ok := strings.CutPrefix(low, URIConfig)
	if ok && path == "/winrs/customremoteshell" {
		return "", fail(CodeCustomRemoteShell, "", "custom remote shells are no longer supported; use a plug-in")
	}
	if ok && (path == "" || path[0] == '/') {
		if e, known := elements[strings.TrimPrefix(path, "/")]; known {
			return e, nil
		}
	}
	return "", fail(CodeResourceNotFound, "", "%q is no configuration resource", clip(uri))
}

// Element returns the name of the root element of a configuration resource: Config,
// Client, Auth and so on. An unknown URI is an *Error.
func Element(uri string) (string, error) {
	e, err := element(uri)
	if err != nil {
		return "", err
	}
	if e == "" {
		return "Config", nil
	}
	return e[strings.LastIndexByte(e, '/')+1:], nil
}
