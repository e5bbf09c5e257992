// A copy of any value that can cross between processes, typed arrays with memory of their own.
import v8 from "node:v8";

/** @throws DataCloneError where the value has no copy: functions, symbols, ports, shared memory */
export function structuredCopy(value: unknown): unknown {
  const writer = new StrictSerializer();
  writer.writeHeader();
  writer.writeValue(value);
  return deserialize(writer.releaseBuffer());
}

// Node's types leave these methods out; its documentation has them for subclasses.
const writeView = Reflect.get(v8.DefaultSerializer.prototype, "_writeHostObject") as (view: ArrayBufferView) => void;
const readView = Reflect.get(v8.DefaultDeserializer.prototype, "_readHostObject") as () => ArrayBufferView;

/** Refuses shared memory, which would arrive as a copy of itself. */
export class StrictSerializer extends v8.DefaultSerializer {
  _writeHostObject(view: ArrayBufferView): void {
    if (view.buffer instanceof SharedArrayBuffer) throw new Error("#<SharedArrayBuffer> could not be cloned");
    writeView.call(this, view);
  }
}

/** Reads what a serializer wrote. Typed arrays get memory of their own; Node's class leaves them as views of the bytes. */
export function deserialize(bytes: Buffer): unknown {
  const reader = new OwningDeserializer(bytes);
  reader.readHeader();
  return reader.readValue();
}

class OwningDeserializer extends v8.DefaultDeserializer {
  _readHostObject(): unknown {
    const view = readView.call(this);
    if (Buffer.isBuffer(view)) return Buffer.from(view);
    if (view instanceof DataView) {
      return new DataView(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
    }
    return (view as Uint8Array).slice();
  }
}
