// Import direction: domain <- adapters <- apps; shared imports nothing of ours;
// apps never import each other, standalone and cli.ts compose them.
const apps = "operator|router|ingress";
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    { name: "no-orphan-imports", severity: "error", from: {}, to: { couldNotResolve: true } },
    { name: "domain-imports-only-domain", severity: "error", from: { path: "^src/domain/" }, to: { path: "^src/", pathNot: "^src/domain/" } },
    { name: "domain-does-no-io", severity: "error", from: { path: "^src/domain/" }, to: { dependencyTypes: ["core"], pathNot: "^(node:)?crypto$" } },
    { name: "shared-imports-nothing-of-ours", severity: "error", from: { path: "^src/shared/" }, to: { path: "^src/", pathNot: "^src/shared/" } },
    { name: "adapters-import-domain-and-shared", severity: "error", from: { path: "^src/adapters/" }, to: { path: "^src/", pathNot: "^src/(adapters|domain|shared)/" } },
    { name: "adapters-do-not-import-each-other", severity: "error", from: { path: "^src/adapters/([^/]+)/" }, to: { path: "^src/adapters/", pathNot: "^src/adapters/$1/" } },
    { name: "apps-never-import-each-other", severity: "error", from: { path: `^src/(${apps})/` }, to: { path: `^src/(${apps}|standalone|snippet)/`, pathNot: "^src/$1/" } },
    { name: "src-never-imports-tests-or-demo", severity: "error", from: { path: "^src/" }, to: { path: "^(test|scripts|demo)/" } },
    { name: "no-dev-dependency-in-src", severity: "error", from: { path: "^src/(?!snippet/)" }, to: { dependencyTypes: ["npm-dev"] } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node", "default", "types"] },
  },
};
