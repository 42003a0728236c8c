namespace Akvam;

/// <summary>
/// Devices of the client that work without an exit, as those in the kernel do: asked on the vCPU's thread, in the middle of <see cref="Vcpu.Run"/>, for the
/// ports that nothing of KVM's serves. Not part of KVM.
/// </summary>
/// <remarks>
/// An implementation must not call methods of a <see cref="Vcpu"/> but <see cref="Vcpu.Kick"/>, nor change memory slots, and must not wait for anybody who
/// does: whoever cannot serve an access at once refuses it, and it becomes the exit that it would have been.
/// </remarks>
public interface IPortHandler
{
    /// <summary>Reads 1, 2 or 4 bytes; false: it shall be an exit.</summary>
    bool TryRead(Vcpu vcpu, ushort port, int size, out uint value);

    /// <summary>Writes 1, 2 or 4 bytes; false: it shall be an exit.</summary>
    bool TryWrite(Vcpu vcpu, ushort port, int size, uint value);
}
