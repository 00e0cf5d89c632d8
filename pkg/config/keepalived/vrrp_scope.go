package keepalived

// routerScopes are the blocks of VRRP, and of what its instances depend on.
var routerScopes = []*scope{
	&routerTops, &routerGlobals, &instanceScope, &authScope, &hmacScope, &groupScope, &scriptScope, &fileScope, &oldFileScope, &processScope,
	&bfdScope, &staticScope, &trackGroupScope, &garpGroupScope,
	&addressLines, &excludedLines, &routeLines, &ruleLines, &peerLines, &groupLines, &trackInterfaceLines, &trackScriptLines, &trackFileLines,
	&groupFileLines, &trackProcessLines, &trackBFDLines, &staticAddressLines, &staticRouteLines, &staticRuleLines, &linkbeatLines, &delayLines,
	&trackGroupLines, &garpLines,
}
