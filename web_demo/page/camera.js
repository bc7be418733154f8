import { DemoError } from "./errors.js";

const REASONS = {
  NotAllowedError: "The camera is not allowed; allow it in the browser's settings for this page, or choose a photo.",
  NotFoundError: "This device has no camera; choose a photo instead.",
  NotReadableError: "Another program uses the camera; close it, or choose a photo.",
};

/** The camera that looks away from the person, shown in a <video>. */
export class Camera {
  constructor(video) {
    this.video = video;
  }

  /** @throws {DemoError} if there is no camera or it may not be used. */
  async open() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new DemoError("The browser lends the camera only to pages served by https or localhost; choose a photo.");
    }
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 960 } },
      });
      this.video.srcObject = this.stream;
      await this.video.play();
    } catch (error) {
      this.close();
      throw new DemoError(REASONS[error.name] ?? `The camera does not open (${error.message}); choose a photo.`);
    }
  }

  /** What the camera sees now, as an ImageBitmap. */
  frame() {
    return createImageBitmap(this.video);
  }

  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
  }
}
