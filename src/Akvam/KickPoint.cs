namespace Akvam;

/// <summary>
/// What a signal handler, which may call nothing, does to a thread in <see cref="Vcpu.Run"/> to end it: store 1 to <paramref name="Kicked"/>, or
/// <paramref name="KickBit"/> into <paramref name="Requests"/> atomically, and write an eventfd's 8 bytes of 1 to <paramref name="WakeFile"/>, in this order. Valid
/// while that thread is inside, which keeps the vCPU alive.
/// </summary>
/// <param name="Kicked">Address of an <c>int</c>.</param>
/// <param name="Requests">Address of an <c>int</c>.</param>
/// <param name="KickBit">The request to stop.</param>
/// <param name="WakeFile">What a halted processor waits for.</param>
public readonly record struct KickPoint(nint Kicked, nint Requests, int KickBit, int WakeFile);
