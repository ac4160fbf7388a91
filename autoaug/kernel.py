"""`python -m autoaug.kernel`: the kernel that executes notebooks for papermill, which is ipykernel's, mended."""

from ipykernel.kernelapp import IPKernelApp


class KernelApp(IPKernelApp):
    def start(self) -> None:
        """Run until the kernel is asked to end; then end the control thread before the thread through which it prints.

        ipykernel 7.4 ends that one first. On busy cores the control thread may then still have something to print, and
        waits for ten seconds or for ever, until the kernel is killed.
        """
        super().start()
        if self.control_thread:
            self.control_thread.stop()
            self.control_thread.join()


if __name__ == "__main__":
    KernelApp.launch_instance()
