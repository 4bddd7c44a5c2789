/**
 * Reads a WAV file of 16-bit mono PCM at 8,000 samples a second, as Asterisk's format_wav writes it.
 *
 * @returns samples from -1 to 1, as far as they are on disk, and whether the file is complete (its sizes are filled in at the end)
 * @throws Error for another format
 */
export function parseWav(file: Buffer): { readonly samples: Float64Array; readonly complete: boolean } {
  if (file.length < 44) {
    return { samples: new Float64Array(), complete: false };
  }
  if (file.toString("latin1", 0, 4) !== "RIFF" || file.toString("latin1", 8, 16) !== "WAVEfmt ") {
    throw new Error("not a WAV file");
  }
  const [format, channels, rate, bits] = [file.readUInt16LE(20), file.readUInt16LE(22), file.readUInt32LE(24), file.readUInt16LE(34)];
  if (format !== 1 || channels !== 1 || rate !== 8_000 || bits !== 16) {
    throw new Error(`WAV must be 16-bit mono PCM at 8000 Hz, not format ${format}, ${channels} channels, ${rate} Hz, ${bits} bits`);
  }
  const { data, complete } = dataChunk(file);
  const samples = Float64Array.from({ length: data.length >> 1 }, (_, index) => data.readInt16LE(index * 2) / 32_768);
  return { samples, complete };
}

function dataChunk(file: Buffer): { data: Buffer; complete: boolean } {
  let offset = 12;
  while (offset + 8 <= file.length) {
    const size = file.readUInt32LE(offset + 4);
    if (file.toString("latin1", offset, offset + 4) === "data") {
      const complete = size > 0 && offset + 8 + size <= file.length;
      return { data: file.subarray(offset + 8, complete ? offset + 8 + size : file.length), complete };
    }
    offset += 8 + size + (size % 2);
  }
  return { data: Buffer.alloc(0), complete: false };
}
