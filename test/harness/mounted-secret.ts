import { mkdir, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A folder as the kubelet mounts a Secret into a container. */
export interface MountedSecret {
  /** Where the container sees it. */
  readonly path: string;
  /** What the kubelet does when the Secret changed: a new folder, then one rename of `..data`, then the old folder goes. */
  publish(data: Readonly<Record<string, string>>): Promise<void>;
}

/** The layout of Kubernetes' AtomicWriter (pkg/volume/util/atomic_writer.go): `NAME -> ..data/NAME`, `..data -> ..<time>`. */
export async function mountedSecret(path: string): Promise<MountedSecret> {
  await mkdir(path, { recursive: true });
  let generation = 0;
  const publish = async (data: Readonly<Record<string, string>>) => {
    const before = await readlink(join(path, "..data")).catch(() => null);
    const folder = `..generation-${(generation += 1)}`;
    await mkdir(join(path, folder));
    for (const [name, content] of Object.entries(data)) {
      await writeFile(join(path, folder, name), content, { mode: 0o400 });
      await symlink(join("..data", name), join(path, name)).catch(ignoreExisting);
    }
    await symlink(folder, join(path, "..data_tmp"));
    await rename(join(path, "..data_tmp"), join(path, "..data"));
    if (before !== null) await rm(join(path, before), { recursive: true });
  };
  return { path, publish };
}

function ignoreExisting(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
}
