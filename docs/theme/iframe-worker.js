// A page opened from a folder may start no worker. The search then runs in a hidden frame of the page, behind the same interface.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.inside = new Promise((ready) => {
        const frame = document.createElement("iframe")
        frame.hidden = true
        frame.srcdoc = "<!doctype html><title>search</title>"
        frame.onload = () => {
          const inside = frame.contentWindow
          inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }))
          const script = frame.contentDocument.createElement("script")
          script.src = url
          script.onload = () => ready(inside)
          frame.contentDocument.head.append(script)
        }
        document.body.append(frame)
      })
    }

    postMessage(data) {
      this.inside.then((inside) => inside.dispatchEvent(new MessageEvent("message", { data })))
    }
  }
}
